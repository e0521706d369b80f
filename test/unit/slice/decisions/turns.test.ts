import { describe, expect, test } from 'vitest';

import { RateLimit } from '../../../../src/slice/decisions/rate-limit.ts';
import { Turns } from '../../../../src/slice/decisions/turns.ts';

describe('turns', () => {
  test('are given one after the other, and from now on when none is waited for', () => {
    const turns = new Turns(50);
    expect([turns.next(0), turns.next(0), turns.next(10), turns.next(5000)]).toEqual([20, 40, 50, 20]);
  });

  test('are spread evenly over five minutes when there are more', () => {
    const turns = new Turns(50);
    const seconds = new Map<number, number>();
    for (let n = 0; n < 30_000; n++) {
      const second = Math.floor(turns.next(0) / 1000);
      seconds.set(second, (seconds.get(second) ?? 0) + 1);
    }
    expect(Math.max(...seconds.keys())).toBe(300);
    expect(Math.max(...seconds.values())).toBeLessThanOrEqual(102);
  });

  test('of a rate limit are given to those for whom there is no token', () => {
    const limit = new RateLimit({ burst: 2, perSecond: 4 });
    expect([1, 2, 3, 4].map(() => limit.takeOrWait('a', 0))).toEqual([0, 0, 250, 500]);
    expect(limit.takeOrWait('b', 0)).toBe(0);
    expect(limit.takeOrWait('a', 250)).toBe(0);
    // Others were promised what comes next.
    expect(limit.takeOrWait('a', 250)).toBe(500);
  });
});
