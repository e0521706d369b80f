import { toKiwiError } from '../../core/errors.ts';
import type { Wait } from '../pipeline/step.ts';
import type { EnrollmentRun } from './enrollment-run.ts';

/**
 * For the steps of a claim after which its token is used up: what fails is tried again by a later run, and undoes nothing.
 *
 * @param wait.for what has to happen; the code of the failure is added
 * @param wait.final codes of failures that trying again cannot change
 */
export async function orWait(
  { options: { clock } }: EnrollmentRun,
  work: Promise<unknown>,
  wait: { readonly for: string; readonly againMs: number; readonly final?: readonly string[] },
): Promise<Wait | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    const { code } = toKiwiError(error);
    if (wait.final?.includes(code) === true) throw error;
    return { then: 'wait', for: `${wait.for} (${code})`, until: clock.now() + wait.againMs };
  }
}
