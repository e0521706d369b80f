import { expect, test } from 'vitest';

import { addressNumber, addressText, networkOf } from '../../../../src/slice/config/tunnel-network.ts';

test('laptops get the addresses of the network except for the first, the last and that of the slice', () => {
  const { first, last, reserved } = networkOf({ address: '10.77.0.1', network: '10.77.0.0/24' });
  expect([addressText(first), addressText(last), reserved.map(addressText)]).toEqual([
    '10.77.0.1',
    '10.77.0.254',
    ['10.77.0.1'],
  ]);
  expect(addressText(addressNumber('192.168.255.254'))).toBe('192.168.255.254');
});
