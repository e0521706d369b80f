import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import { digest } from '../../../../src/core/bytes.ts';
import { addressesInOrder } from '../../../../src/slice/decisions/addresses-in-order.ts';
import { decideReservation, type ReservationFacts } from '../../../../src/slice/decisions/decide-reservation.ts';
import type { LookAlike } from '../../../../src/slice/decisions/find-place.ts';
import { hostNamesInOrder } from '../../../../src/slice/decisions/host-names-in-order.ts';

const components: LookAlike['components'] = [
  { kind: 'uuid', hmac: digest('u') },
  { kind: 'system-serial', hmac: digest('s') },
];
const arrival: Parameters<typeof decideReservation>[0] = {
  host: {},
  tokenId: null,
  fingerprint: { algorithm: 'kiwi-fp/1', digest: digest('x'), components },
  yubikeySerial: 1,
  consentTrust: { slug: 'acme', operators: [] },
  quota: 2,
  now: 1000,
};
const good: ReservationFacts = {
  session: { usedAt: null, expiresAt: 1001 },
  attempted: false,
  yubikey: { burnedAt: null },
  token: undefined,
  claimedAt: undefined,
  live: [],
  consents: [],
  liveDevices: 1,
};
const pending: LookAlike = { id: 'd', state: 'pending', yubikeySerial: 1, tokenId: null, sharesKey: false, components };

test.each<[string, Partial<ReservationFacts>]>([
  ['session-unknown', { session: undefined }],
  ['session-used', { session: { usedAt: 1, expiresAt: 1001 } }],
  ['session-expired', { session: { usedAt: null, expiresAt: 1000 } }],
  ['attempt-conflict', { attempted: true }],
  ['yubikey-unregistered', { yubikey: undefined }],
  ['yubikey-burned', { yubikey: { burnedAt: 1 } }],
  ['fingerprint-known', { live: [{ ...pending, state: 'active' }] }],
  ['quota-exceeded', { liveDevices: 2 }],
])('a reservation is refused: %s', (refused, facts) => {
  expect(decideReservation(arrival, good)).toEqual({});
  expect(decideReservation(arrival, { ...good, ...facts })).toMatchObject({ refused });
});

test('the time of a token ends for who comes, not for who waits since before', () => {
  const token = { serial: 'S', uuid: null, expiresAt: 900, revokedAt: null, revokedWhy: null, deviceId: null };
  const claimant = { ...arrival, tokenId: 't', host: { serial: 'S' } };
  const facts = { ...good, token };
  expect(decideReservation(claimant, { ...facts, claimedAt: 899 })).toEqual({});
  expect(decideReservation(claimant, { ...facts, claimedAt: 900 })).toMatchObject({ refused: 'claim-token-expired' });
  expect(decideReservation(claimant, facts)).toMatchObject({ refused: 'claim-token-expired' });
});

test('a superseded device makes room within the quota', () => {
  expect(decideReservation(arrival, { ...good, live: [pending], liveDevices: 2 })).toEqual({ supersedes: 'd' });
});

test('addresses are tried once each, beginning after the last one assigned, and never the reserved ones', () => {
  const network = { first: 11, last: 15, reserved: [12] };
  expect([...addressesInOrder(network, 0)]).toEqual([11, 13, 14, 15]);
  expect([...addressesInOrder(network, 13)]).toEqual([14, 15, 11, 13]);
  expect([...addressesInOrder(network, 15)]).toEqual([11, 13, 14, 15]);
});

test('host names get suffixes from the device’s id, and stay labels of at most 63 characters', () => {
  const id = randomUUID();
  const [asked, first, ...rest] = hostNamesInOrder(`${'a'.repeat(57)}-bcdef`, id);
  expect([asked, first]).toEqual([`${'a'.repeat(57)}-bcdef`, `${'a'.repeat(57)}-${id.slice(0, 4)}`]);
  expect(rest).toHaveLength(7);
});
