import { describe, expect, test } from 'vitest';

import { RateLimit } from '../../../../src/slice/decisions/rate-limit.ts';

describe('the rate limit', () => {
  test('lets a burst through, then as many as are refilled over time, for each client separately', () => {
    const limit = new RateLimit({ burst: 2, perSecond: 1 });
    const at = (now: number, client = 'a'): boolean => limit.take(client, now);
    expect([at(0), at(0), at(0), at(0, 'b'), at(999), at(1500), at(1999)]).toEqual([
      true,
      true,
      false,
      true,
      false,
      true,
      false,
    ]);
  });
});
