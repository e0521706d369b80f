import { expect, test } from 'vitest';

import { decideConfirmation } from '../../../../src/slice/decisions/decide-confirmation.ts';
import { decideGrant, type Standing } from '../../../../src/slice/decisions/decide-grant.ts';
import { dutiesOfEnd } from '../../../../src/slice/decisions/duties-of-end.ts';

const standing = (more: Partial<Standing>): Standing => ({
  state: 'reserved',
  burned: false,
  supersedes: null,
  consented: false,
  confirmBy: null,
  ...more,
});

test('a reservation becomes a grant unless its key is burned or the one it supersedes was confirmed', () => {
  const superseding = standing({ supersedes: 'd' });
  expect(decideGrant(standing({}), undefined)).toBe('granted');
  expect(decideGrant(superseding, { state: 'pending' })).toBe('granted');
  expect(decideGrant(superseding, { state: 'active' })).toMatchObject({ refused: 'fingerprint-known', with: 'd' });
  expect(decideGrant(standing({ supersedes: 'd', consented: true }), { state: 'active' })).toBe('granted');
  expect(decideGrant(standing({ state: 'ended', burned: true }), undefined)).toEqual({ refused: 'yubikey-burned' });
  expect(() => decideGrant(standing({ state: 'pending' }), undefined)).toThrow(TypeError);
  expect(() => decideGrant(undefined, undefined)).toThrow(TypeError);
});

test.each([
  ['in time', standing({ state: 'pending', confirmBy: 11 }), 'confirmed'],
  ['too late', standing({ state: 'pending', confirmBy: 10 }), 'ended'],
  ['before its grant', standing({}), 'ended'],
  ['of one that is active', standing({ state: 'active', burned: true, confirmBy: 5 }), 'active'],
  ['with a burned key', standing({ state: 'pending', burned: true, confirmBy: 11 }), 'yubikey-burned'],
  ['of one that ended', standing({ state: 'ended', confirmBy: 11 }), 'ended'],
  ['of one that is unknown', undefined, 'ended'],
] as const)('a confirmation %s', (_name, device, expected) => {
  expect(decideConfirmation(device, 10)).toBe(expected);
});

test('the host of an ended device is deleted from Fleet, unless it was lost', () => {
  expect([dutiesOfEnd('offboarded'), dutiesOfEnd('lost')]).toEqual([['peer', 'fleet-host'], ['peer']]);
});
