import { runChecks as runAny } from '../../checks/run-checks.ts';
import { toKiwiError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import { notKnown, notWell, type Check, type CheckOutcome, type Finding } from './check.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

export { withNeeded } from '../../checks/run-checks.ts';

/** What cannot be looked at without root, or without an enrollment, is not known; it is not wrong. */
const UNSEEN: ReadonlySet<ErrorCode> = new Set(['not-enrolled', 'unsupported-system']);

/** Carries out checks of a laptop. @returns the outcomes in the order of the list */
export function runChecks(
  checks: readonly Check[],
  facts: EnrollmentFacts,
  limits: { readonly limitMs?: number; readonly atOnce?: number } = {},
): Promise<CheckOutcome[]> {
  return runAny(checks, facts, { ...limits, thrown: (code, thrown) => thrownFinding(code, thrown, facts) });
}

function thrownFinding(code: string, thrown: unknown, { isRoot, unrecorded }: EnrollmentFacts): Finding {
  const error = toKiwiError(thrown);
  const denied = error.code === 'not-root' || (error.code === 'access-denied' && !isRoot);
  if (denied) return notKnown('only root can see it');
  if (UNSEEN.has(error.code)) return notKnown(error.message);
  // One check says that the record cannot be read; the others would only repeat it.
  if (error === unrecorded && code !== 'record') return notKnown('the record of the enrollment cannot be read');
  return notWell(error);
}
