import { expect, test } from 'vitest';

import { decideClaim, type TokenStanding } from '../../../../src/slice/decisions/decide-claim.ts';

const UUID = '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001';
const token: TokenStanding = {
  ...{ serial: '5CG1234XYZ', uuid: UUID, expiresAt: 1000 },
  ...{ revokedAt: null, revokedWhy: null, deviceId: null },
};
const laptop = { serial: '5CG1234XYZ', uuid: UUID };

test.each<[string, Partial<TokenStanding>, { serial?: string; uuid?: string }, number]>([
  ['its own laptop', {}, laptop, 999],
  ['a serial number in another case', {}, { ...laptop, serial: '5cg1234xyz' }, 999],
  ['a token without a UUID, whatever the laptop says', { uuid: null }, { serial: laptop.serial }, 999],
])('lets in %s', (_name, standing, said, now) => {
  expect(decideClaim({ ...token, ...standing }, said, now)).toBeUndefined();
});

test.each<[string, Partial<TokenStanding>, { serial?: string; uuid?: string }, number, string, boolean]>([
  ['revoked', { revokedAt: 1, revokedWhy: 'stolen' }, laptop, 999, 'claim-token-revoked', true],
  ['revoked and used', { revokedAt: 1, deviceId: 'd' }, laptop, 999, 'claim-token-revoked', true],
  ['used', { deviceId: 'd' }, laptop, 999, 'claim-token-used', true],
  ['used, by another laptop', { deviceId: 'd' }, { serial: 'X' }, 999, 'claim-token-used', true],
  ['expired, to the millisecond', {}, laptop, 1000, 'claim-token-expired', false],
  ['another serial number', {}, { ...laptop, serial: 'X' }, 999, 'claim-other-laptop', true],
  ['no serial number', {}, { uuid: UUID }, 999, 'claim-other-laptop', true],
  ['another UUID', {}, { ...laptop, uuid: 'x' }, 999, 'claim-other-laptop', true],
  ['no UUID', {}, { serial: laptop.serial }, 999, 'claim-other-laptop', true],
])('refuses: %s', (_name, standing, said, now, refused, smells) => {
  expect(decideClaim({ ...token, ...standing }, said, now)).toMatchObject({ refused, smells });
});
