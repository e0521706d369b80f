import type { KiwiError } from '../core/errors.ts';

/** One thing that must be well, told from some facts. It changes nothing, and the checks run in parallel. */
export interface Check<Facts> {
  /** Stable: it is in `--json`, `doctor --check` takes it, and other checks name it in `dependsOn`. */
  readonly code: string;
  /** `failure`: something does not work. `warning`: it works, but a person should know. */
  readonly severity: 'failure' | 'warning';
  /** What is so when it is well: a whole sentence, for the documents and the person. */
  readonly what: string;
  /** What does not work, or may not work soon, when it is not so: a whole sentence. */
  readonly matters: string;
  /** Checks earlier in the list without which this one would say nothing true. If one of them is not well, it is not run. */
  readonly dependsOn: readonly string[];
  /** What it found, made by `well`, `notWell` or `notKnown`. */
  readonly run: (facts: Facts) => Promise<Finding>;
}

/**
 * What a check has found. `not-known`: it could not look, because only root may, or the system has no such thing; that is no
 * failure, and it is said.
 */
export interface Finding {
  readonly state: 'well' | 'not-well' | 'not-known';
  /** What was seen, also when it is well: a phrase with the values that decided. */
  readonly saw: string;
  /** What is wrong, and what to do; present exactly if it is not well. */
  readonly error?: KiwiError;
  /** Name of the repair that mends it without a decision of a person, if there is one. */
  readonly fix?: string;
}

export interface CheckOutcome
  extends Pick<Check<unknown>, 'code' | 'severity' | 'what' | 'matters'>, Omit<Finding, 'state'> {
  readonly state: Finding['state'] | 'not-looked-at';
  /** The checks because of which it was not looked at. */
  readonly because?: readonly string[];
}

export const well = (saw: string): Finding => ({ state: 'well', saw });

/** @param fix the name of a repair that `doctor --fix` knows */
export const notWell = (error: KiwiError, fix?: string): Finding => ({
  state: 'not-well',
  saw: error.detail ?? error.message,
  error,
  ...(fix === undefined ? {} : { fix }),
});

export const notKnown = (why: string): Finding => ({ state: 'not-known', saw: why });
