import type { KiwiError } from '../../core/errors.ts';
import type { CheckOutcome } from './check.ts';

/** What the slice has decided about this laptop explains what no longer works on it. */
const DECISIVE: ReadonlySet<string> = new Set(['slice-active', 'hardware']);

/** The failure that explains most; undefined when there are no failures. A warning is none. */
export function reasonOf(outcomes: readonly CheckOutcome[]): KiwiError | undefined {
  const failures = outcomes.filter(({ severity, state }) => severity === 'failure' && state === 'not-well');
  return (failures.find(({ code }) => DECISIVE.has(code)) ?? failures[0])?.error;
}
