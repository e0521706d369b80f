import { notKnown, notWell, type CheckOutcome } from '../../checks/check.ts';
import { runChecks, withNeeded } from '../../checks/run-checks.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { SLICE_CHECKS } from './checks.ts';
import { readSliceFacts } from './slice-facts.ts';

/**
 * Carries out the checks of a slice.
 * @param codes only these, and those that they depend on
 * @throws KiwiError `usage` for a check that there is not; `slice-missing`, `slice-unfinished`, `slice-damaged`
 */
export async function examineSlice(
  dir: string,
  { clock, env }: { readonly clock: Clock; readonly env: NodeJS.ProcessEnv },
  codes?: readonly string[],
): Promise<CheckOutcome[]> {
  const unknown = codes?.find((code) => !SLICE_CHECKS.some((check) => check.code === code));
  if (unknown !== undefined) {
    throw new KiwiError('usage', {
      detail: `there is no check ${unknown}: ${SLICE_CHECKS.map(({ code }) => code).join(', ')}`,
    });
  }
  const facts = await readSliceFacts(dir, clock, env);
  const checks = codes === undefined ? SLICE_CHECKS : withNeeded(SLICE_CHECKS, codes);
  return runChecks(checks, facts, {
    thrown(_code, thrown) {
      const error = toKiwiError(thrown);
      return error.code === 'not-root' || error.code === 'access-denied'
        ? notKnown('only root can see it')
        : notWell(error);
    },
  });
}
