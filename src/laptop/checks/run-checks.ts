import { toKiwiError } from '../../core/errors.ts';
import type { Check, CheckOutcome } from './check.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

/**
 * Carries out the checks in parallel, each as soon as those that it depends on have ended. A check that throws is not well:
 * what cannot be looked at is not known to work.
 * @returns the outcomes in the order of the list
 */
export async function runChecks(checks: readonly Check[], facts: EnrollmentFacts): Promise<CheckOutcome[]> {
  const outcomes = new Map<string, Promise<CheckOutcome>>();
  for (const check of checks) {
    const needed = check.dependsOn.map((code) => {
      const outcome = outcomes.get(code);
      if (outcome === undefined) throw new TypeError(`${check.code} depends on ${code}, which is not before it`);
      return outcome;
    });
    outcomes.set(check.code, runOne(check, needed, facts));
  }
  return Promise.all(outcomes.values());
}

async function runOne(
  { code, severity, run }: Check,
  needed: readonly Promise<CheckOutcome>[],
  facts: EnrollmentFacts,
): Promise<CheckOutcome> {
  const because = (await Promise.all(needed)).filter(({ state }) => state !== 'well').map((outcome) => outcome.code);
  if (because.length > 0) return { code, severity, state: 'not-looked-at', because };
  const error = await run(facts).catch((thrown: unknown) => toKiwiError(thrown));
  return error === undefined ? { code, severity, state: 'well' } : { code, severity, state: 'not-well', error };
}
