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
  apply(run: R): Promise<void>;
  /** Throws when what should be there is not. */
  verify(run: R): Promise<void>;
  /** Absent in a step that changes nothing outside the enrollment's own record. */
  undo?(run: U): Promise<void>;
}
