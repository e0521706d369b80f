import type { KiwiError } from '../../core/errors.ts';

/**
 * One step of a plan. `R` is what the run passes from step to step, `U` what its undo needs.
 *
 * Obligations: `inspect` changes nothing and returns `done` only when what `apply` would create is there and complete.
 * `apply` and `undo` are safe to repeat, even after an interruption. `undo` removes what this step created, even when it was
 * interrupted; it succeeds when there is nothing to remove, and ignores the run's abort signal.
 */
export interface Step<R, U = R> {
  /** Stable: in the journal, in `--json` and in docs. */
  readonly name: string;
  /** What the person reads, in the imperative: "Bring up the tunnel". */
  readonly title: string;
  /** False where this run has nothing to do with the step: it is not carried out, and nobody hears of it. Absent: every run has. */
  applies?(run: R): boolean;
  inspect(run: R): Promise<'absent' | 'done'>;
  /** @returns why the step is not done yet; nothing when it has acted */
  apply(run: R): Promise<void> | Promise<Pending | undefined>;
  /** Throws when what should be there is not. */
  verify(run: R): Promise<void>;
  /** Absent in a step that changes nothing outside the enrollment's own record. */
  undo?(run: U): Promise<void>;
}

/** An act that has neither failed nor finished: it is repeated. */
export type Pending = Retry | Wait;

/** Repeated soon, by the same run. A crash in between leaves the intent; the next run starts counting again. */
export interface Retry {
  readonly then: 'retry';
  /** Why; the step fails with this when no attempt is left. */
  readonly reason: KiwiError;
  /** Delay before each further attempt, milliseconds: one attempt per delay. */
  readonly delaysMs: readonly number[];
}

/** Repeated by a later run: this one ends, and nothing is undone. */
export interface Wait {
  readonly then: 'wait';
  /** What has to happen, for the journal and the person. At most 200 characters, no secret. */
  readonly for: string;
  /** Six digits that the person tells somebody, who compares them. */
  readonly code?: string;
  /** Wall clock, milliseconds. No run acts earlier; without it, every run tries. */
  readonly until?: number;
}
