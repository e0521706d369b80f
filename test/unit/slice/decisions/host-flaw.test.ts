import { expect, test } from 'vitest';

import { hostFlaw } from '../../../../src/slice/decisions/host-flaw.ts';
import { fingerprintOf } from '../../../fakes/slice/test-laptop.ts';

const salt = Buffer.alloc(32, 7).toString('base64url');
const uuid = '4c4c4544-0042-3510-8053-b7c04f4e5032';
const of = fingerprintOf({ uuid, 'system-serial': 'pf 3abc', 'board-serial': 'nb1' }, salt);

test('names in Fleet have to be in the fingerprint, whatever their spelling', () => {
  for (const host of [{}, { uuid }, { serial: 'PF 3ABC' }, { serial: 'PF  3abc  ' }, { uuid, serial: 'NB1' }]) {
    expect(hostFlaw(host, of, salt)).toBeUndefined();
  }
  expect(hostFlaw({ uuid: uuid.replace('5', '6') }, of, salt)).toMatch(/uuid/u);
  expect(hostFlaw({ uuid, serial: 'pf3abc' }, of, salt)).toMatch(/serial/u);
  // Nor does a component of another kind count, or one of another customer.
  expect(hostFlaw({ serial: uuid }, of, salt)).toMatch(/serial/u);
  expect(hostFlaw({ uuid }, of, Buffer.alloc(32).toString('base64url'))).toMatch(/uuid/u);
});
