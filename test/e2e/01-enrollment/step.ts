import { test } from 'vitest';

/** A test that runs after the one before it, while other stories go on beside it. */
export function step(name: string, play: () => Promise<void>): void {
  test(name, { concurrent: false }, play);
}
