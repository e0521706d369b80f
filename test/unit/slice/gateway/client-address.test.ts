import { expect, test } from 'vitest';

import { clientAddress } from '../../../../src/slice/gateway/client-address.ts';

test.each([
  ['203.0.113.5', '203.0.113.5'],
  ['::ffff:203.0.113.5', '203.0.113.5'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  [undefined, 'unknown'],
])('the client at %s counts as %s', (remote, expected) => {
  expect(clientAddress(remote)).toBe(expected);
});
