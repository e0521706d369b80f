import { expect, it } from 'vitest';

import { allLaptops } from '../../../../src/apps/operator/all-laptops.ts';

it.each([
  [1, 'The only laptop of Acme GmbH'],
  [2, 'All 2 laptops of Acme GmbH'],
])('%i laptops are counted in words that fit', (count, text) => {
  expect(allLaptops(count, 'Acme GmbH')).toBe(text);
});
