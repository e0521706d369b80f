/** Begins each text file that an enrollment writes, where the format has comments: such a file is ours, whatever the record says. */
export const MARKER = '# Written by kiwistack-enroll';

/**
 * Something on this system that looks like part of an enrollment. It is recognised from the system alone, so that an
 * enrollment whose record is lost can still be seen and removed.
 */
export interface Found {
  /** For people: a path, an interface, a unit, a package. */
  readonly what: string;
  /** False when it only has the name or place of ours: it is reported, and neither replaced nor removed. */
  readonly ours: boolean;
}
