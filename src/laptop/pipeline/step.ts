import type { KiwiError } from '../../core/errors.ts';

/**
 * One step of a plan. `R` is what the run hands from step to step, `U` what is enough to undo it.
 *
 * Obligations: `inspect` changes nothing and says `done` only when what `apply` would make is there and whole. `apply` and
 * `undo` may be repeated, also after they were cut off in the middle. `undo` takes away what this step, or a run of it that
 * did not end, made; it succeeds when there is nothing to take away, and does not look at the run's abort signal.
 */
export interface Step<R, U = R> {
  /** Stable: in the journal, in `--json` and in docs. */
  readonly name: string;
  /** What the person reads, as a thing that is being done: "Bring up the tunnel". */
  readonly title: string;
  inspect(run: R): Promise<'absent' | 'done'>;
  /** @returns what is still to come about before the step is done; nothing when it has acted */
  apply(run: R): Promise<void> | Promise<Pending | undefined>;
  /** Throws when what should be there is not. */
  verify(run: R): Promise<void>;
  /** Absent in a step that changes nothing outside the enrollment's own record. */
  undo?(run: U): Promise<void>;
}

/** An act that has not failed and is not done: it is repeated. */
export type Pending = Retry | Wait;

/** Repeated by the same run, soon. A crash meanwhile leaves the intent; the next run begins to count anew. */
export interface Retry {
  readonly then: 'retry';
  /** Why; what the step fails with when no try is left. */
  readonly reason: KiwiError;
  /** How long to wait before each further try, milliseconds. There are as many as delays. */
  readonly delaysMs: readonly number[];
}

/** Repeated by a later run: this one ends, and nothing is undone. */
export interface Wait {
  readonly then: 'wait';
  /** What has to come about, for the journal and the person. At most 200 characters, no secret. */
  readonly for: string;
  /** Wall clock, milliseconds. No run acts before; without it, each one looks. */
  readonly until?: number;
}
