/**
 * Changes small things of the system that have come to differ from what an enrollment left. Each may be repeated. Each throws
 * `access-denied` or `program-failed` when the system refuses.
 */
export interface Caretaker {
  /** Gives a file or folder to root, with at most these permission bits. A link is not followed, but refused. */
  restrict(file: string, mode: number): Promise<void>;
  /** Removes a file, not a folder; a missing one is no error. */
  remove(file: string): Promise<void>;
  /** Lets a unit start at boot. */
  enable(unit: string): Promise<void>;
  /** Starts a unit, also one that runs or has failed. */
  restart(unit: string): Promise<void>;
}
