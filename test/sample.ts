import { random } from './random.ts';

/**
 * Exhaustive tests (schedules, edges, power cuts) run as a sample in everyday runs, a different one each time, and
 * completely in `npm run test:nightly`. `SAMPLE=n` repeats the sample of an earlier run, `SAMPLE=all` runs everything;
 * otherwise vitest.config.ts chooses a number.
 */
const seed = process.env['SAMPLE'] ?? 'all';
/** True in a nightly run. */
export const everything = seed === 'all';

/** Picks `count` of `all`, in order, and prints the sample's number; in a nightly run, picks all. */
export function sampleOf<T>(what: string, all: readonly T[], count: number): readonly T[] {
  if (everything || count >= all.length) return all;
  const numbers = random(Number(seed));
  // The first `count` entries of a shuffle (Fisher–Yates), back in their original order.
  const order = all.map((_, index) => index);
  for (let index = 0; index < count; index++) {
    const other = numbers.between(index, order.length - 1);
    [order[index], order[other]] = [order[other] ?? 0, order[index] ?? 0];
  }
  console.log(`${what}: ${count} of ${all.length}, SAMPLE=${seed}`);
  return order
    .slice(0, count)
    .toSorted((a, b) => a - b)
    .map((index) => all[index] as T);
}
