import type { KiwiError } from '../../core/errors.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

/** One thing that must be well on an enrolled laptop. It changes nothing, and the checks run in parallel. */
export interface Check {
  /** Stable: it is in `status --json`, and other checks name it in `dependsOn`. */
  readonly code: string;
  /** `failure`: the enrollment does not work. `warning`: it works, but a person should know. */
  readonly severity: 'failure' | 'warning';
  /** Checks earlier in the list without which this one would say nothing true. If one of them is not well, it is not run. */
  readonly dependsOn: readonly string[];
  /** @returns what is wrong: message, details and what to do; undefined when it is well */
  readonly run: (facts: EnrollmentFacts) => Promise<KiwiError | undefined>;
}

export interface CheckOutcome extends Pick<Check, 'code' | 'severity'> {
  readonly state: 'well' | 'not-well' | 'not-looked-at';
  /** What is wrong; present exactly if it is not well. */
  readonly error?: KiwiError;
  /** The checks because of which it was not looked at. */
  readonly because?: readonly string[];
}
