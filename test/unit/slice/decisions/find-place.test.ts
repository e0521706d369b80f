import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { digest } from '../../../../src/core/bytes.ts';
import { signCompact } from '../../../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { PROTOCOL, TYP } from '../../../../src/protocol/common.ts';
import type { Consent } from '../../../../src/protocol/consent.ts';
import { fingerprintDigestInput, type Fingerprint } from '../../../../src/protocol/fingerprint.ts';
import {
  findPlace,
  type Arrival,
  type LookAlike,
  type StoredConsent,
} from '../../../../src/slice/decisions/find-place.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const operator = generateP256();

const machine = (uuid: string, serial = `serial of ${uuid}`): Fingerprint['components'] => [
  { kind: 'uuid', hmac: digest(uuid) },
  { kind: 'system-serial', hmac: digest(serial) },
];
const arrival = (components: Fingerprint['components'], more: Partial<Arrival> = {}): Arrival => ({
  fingerprint: { algorithm: 'kiwi-fp/1', digest: digest(fingerprintDigestInput(components)), components },
  yubikeySerial: 1,
  tokenId: null,
  consentTrust: { slug: 'acme', operators: [{ name: 'Olga', key: publicJwk(operator) }] },
  now: NOW,
  ...more,
});
const device = (components: Fingerprint['components'], more: Partial<LookAlike> = {}): LookAlike => ({
  id: randomUUID(),
  state: 'active',
  yubikeySerial: 1,
  tokenId: null,
  sharesKey: false,
  components,
  ...more,
});

async function consentTo(to: LookAlike, more: Partial<Consent> = {}, key = operator): Promise<StoredConsent> {
  const content: Consent = {
    protocol: PROTOCOL,
    consentId: randomUUID(),
    slug: 'acme',
    deviceId: to.id,
    fingerprint: digest(fingerprintDigestInput(to.components)),
    newMainboard: false,
    operator: 'Olga',
    why: 'new disk',
    issuedAt: new Date(NOW).toISOString(),
    expiresAt: new Date(NOW + 1000).toISOString(),
    ...more,
  };
  const jws = await signCompact({
    typ: TYP.consent,
    payload: JSON.stringify(content),
    signer: keySigner(key),
    kid: jwkThumbprint(publicJwk(key)),
  });
  return { id: content.consentId, deviceId: to.id, usedAt: null, jws };
}

describe('the place of a laptop', () => {
  test('is a new one when no device resembles it', () => {
    expect(findPlace(arrival(machine('a')), [], [])).toEqual({});
    expect(findPlace(arrival(machine('a')), [device(machine('b'))], [])).toEqual({});
  });

  test('is refused to an enrolled laptop without consent', () => {
    const known = device(machine('a'));
    expect(findPlace(arrival(machine('a')), [known], [])).toMatchObject({
      refused: 'fingerprint-known',
      with: known.id,
    });
  });

  test.each([
    ['is its own again when the last enrollment was not confirmed', 'pending', 1, 'taken'],
    ['is none with another YubiKey', 'pending', 2, 'fingerprint-known'],
    ['is none while step-ca is still asked', 'reserved', 1, 'fingerprint-known'],
  ] as const)('%s', (_name, state, yubikeySerial, expected) => {
    const known = device(machine('a'), { state });
    const place = findPlace(arrival(machine('a'), { yubikeySerial }), [known], []);
    expect(place).toMatchObject(expected === 'taken' ? { supersedes: known.id } : { refused: expected });
  });

  test('is never that of another device, for a copy or for a laptop with its keys', () => {
    const known = device(machine('a'));
    expect(findPlace(arrival(machine('a', 'other')), [known], [])).toMatchObject({ refused: 'fingerprint-clone' });
    const holder = device(machine('b'), { sharesKey: true });
    expect(findPlace(arrival(machine('a')), [holder], [])).toMatchObject({
      refused: 'fingerprint-clone',
      with: holder.id,
    });
  });

  test('is refused when it could be that of two devices', () => {
    const [one, two] = [device(machine('a')), device(machine('a'))];
    expect(findPlace(arrival(machine('a')), [one, two], [])).toMatchObject({
      refused: 'fingerprint-clone',
      with: two.id,
      why: `matches ${one.id} as well`,
    });
  });

  test('that a statement names must be that of the laptop', () => {
    const known = device(machine('a'));
    const refused = { refused: 'consent-refused' };
    expect(findPlace(arrival(machine('a'), { priorDeviceId: known.id }), [], [])).toMatchObject(refused);
    expect(findPlace(arrival(machine('a'), { priorDeviceId: randomUUID() }), [known], [])).toMatchObject(refused);
  });
});

describe('a consent', () => {
  test('is used for the device that it names', async () => {
    const [known, other] = [device(machine('a')), device(machine('b'))];
    const [mine, others] = [await consentTo(known), await consentTo(other)];
    expect(findPlace(arrival(machine('a')), [known], [others, mine])).toEqual({
      supersedes: known.id,
      consentId: mine.id,
    });
    expect(findPlace(arrival(machine('a')), [known], [others])).toMatchObject({ refused: 'fingerprint-known' });
  });

  test('for a new mainboard makes a copy count as the same laptop; one without does not', async () => {
    const known = device(machine('a'));
    const copy = arrival(machine('a', 'other'));
    const [plain, mainboard] = [await consentTo(known), await consentTo(known, { newMainboard: true })];
    expect(findPlace(copy, [known], [plain])).toMatchObject({ refused: 'fingerprint-clone' });
    expect(findPlace(copy, [known], [plain, mainboard])).toEqual({ supersedes: known.id, consentId: mainboard.id });
  });

  test.each<[string, string, Partial<Consent>, Partial<StoredConsent>]>([
    ['of another customer', 'of another customer', { slug: 'other' }, {}],
    ['for another laptop', 'for another laptop', { deviceId: randomUUID() }, {}],
    ['out of date', 'out of date', { expiresAt: new Date(NOW).toISOString() }, {}],
    ['used already', 'used already', {}, { usedAt: 1 }],
    ['stored under another name', 'not the one that was signed', {}, { id: randomUUID() }],
  ])('%s is none', async (_name, why, content, row) => {
    const known = device(machine('a'));
    const consent = { ...(await consentTo(known, content)), ...row };
    expect(findPlace(arrival(machine('a'), { consentId: consent.id }), [known], [consent])).toEqual({
      refused: 'consent-refused',
      why,
    });
  });

  test('that no operator signed, or that does not exist, is not valid', async () => {
    const known = device(machine('a'));
    const forged = await consentTo(known, {}, generateP256());
    const named = arrival(machine('a'), { consentId: forged.id });
    expect(findPlace(named, [known], [forged])).toEqual({ refused: 'consent-refused', why: 'not by an operator' });
    expect(findPlace(named, [known], [])).toEqual({ refused: 'consent-refused', why: 'no such consent' });
  });
});
