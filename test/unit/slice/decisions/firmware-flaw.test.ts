import { expect, test } from 'vitest';

import { firmwareFlaw } from '../../../../src/slice/decisions/firmware-flaw.ts';

test.each([
  ['5.7.0', true],
  ['5.7.4', true],
  ['5.10.0', true],
  ['6.0.0', true],
  ['5.6.9', false],
  ['5.4.3', false],
  ['4.9.9', false],
] as const)('firmware %s is new enough for 5.7.0: %s', (firmware, good) => {
  expect(firmwareFlaw(firmware, '5.7.0') === undefined).toBe(good);
});
