import { random } from './random.ts';

/**
 * What is exhaustive (schedules, edges, power cuts) is a sample in everyday runs, another one each time, and whole in
 * `npm run test:nightly`. `SAMPLE=n` plays the sample of a run again, `SAMPLE=all` all of it; vitest.config.ts chooses a number otherwise.
 */
const seed = process.env['SAMPLE'] ?? 'all';

/** Picks `count` of `all`, in order, and prints the sample's number; in a nightly run, picks all. */
export function sampleOf<T>(what: string, all: readonly T[], count: number): readonly T[] {
  if (seed === 'all' || count >= all.length) return all;
  const numbers = random(Number(seed));
  // The first `count` of a shuffle (Fisher–Yates), back in order.
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
