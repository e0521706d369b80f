/**
 * Looks at parts of the operating system that only the checks need. Obligations of an implementation: it changes nothing, it takes
 * less than five seconds for each call, and it says `undefined` where the system does not tell; it never guesses.
 */
export interface Inspector {
  isRoot(): boolean;
}
