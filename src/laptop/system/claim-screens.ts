/**
 * Where a laptop that claims itself says how that stands, while nobody can log in yet. Obligations of an implementation:
 * - what was shown is replaced as a whole, and is gone after a restart; both calls are safe to repeat.
 * - a line may hold anything: nothing in it is interpreted, and it stays one line.
 */
export interface ClaimScreens {
  /** Above the login prompts of the text consoles, which are drawn anew. Without lines, nothing is there any more. */
  prompt(lines: readonly string[]): Promise<void>;
  /** For the window of the first start, which has no rights: everybody may read it. Undefined takes it away. */
  window(stand: string | undefined): Promise<void>;
}
