import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { remoteSlice } from '../../../src/operator-client/remote-slice.ts';
import { signCompact } from '../../../src/pki/jws.ts';
import { jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import { EKU } from '../../../src/pki/roles.ts';
import { PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { newLaptop, sendStatement } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, enrollAndConfirm, seal, start } from '../slice/enrolling.ts';
import { addOperator, remotely, signInAs, type TestOperator } from './operating.ts';

// A slice with real step-ca and registry, and operators elsewhere: HTTPS with the provider's root.

let slice: TestSlice;
let anna: TestOperator;
let staff: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  anna = await addOperator(slice, 'anna', 'admin');
  staff = await slice.provision({ serial: 20_001_301 });
});
afterAll(() => slice.remove());

describe('an operator who signs in with a YubiKey', () => {
  test('has a certificate with the role from step-ca, and asks what could be asked in the folder', async () => {
    const { subject, extendedKeyUsages, sanUris } = anna.certificate;
    expect({ subject, extendedKeyUsages, sanUris }).toEqual({
      subject: { cn: 'KiwiStack operator anna', ou: 'admin', o: 'Acme GmbH' },
      extendedKeyUsages: [EKU.operatorKey],
      sanUris: ['urn:kiwistack:operator:acme'],
    });
    const { grant } = await enrollAndConfirm(slice, staff);
    await remotely(slice, anna, async (remote, session) => {
      expect(session).toMatchObject({ operator: 'anna', role: 'admin', customer: { slug: 'acme', name: 'Acme GmbH' } });
      const [here, there] = await Promise.all([
        asOperator(slice, (operator) => operator.ask('device.list')),
        remote.ask('device.list'),
      ]);
      expect(there).toEqual(here);
      expect(there.map(({ id }) => id)).toContain(grant.deviceId);
      expect(JSON.stringify(there)).not.toMatch(/presharedKey|csr/u);
      // A laptop gets another name, and is named back by its own.
      const rename = async (label: string) =>
        (await remote.ask('device.rename', { device: grant.deviceId, label })).label;
      expect([await rename('annas'), await rename(grant.hostName)]).toEqual(['annas', null]);
      await remote.ask('yubikey.burn', { serial: staff.serial, why: 'left in a train' });
    });
    const [entry] = await slice.running.context.registry.listAudit(1);
    expect(entry).toMatchObject({ actor: 'anna', action: 'yubikey.burn', yubikeySerial: staff.serial });
  });

  test('signs out, and the session is over; it also ends by itself after the hours that were signed', async () => {
    const out = remoteSlice(await signInAs(slice, anna), slice.clock);
    await out.signOut();
    expect((await slice.running.context.registry.listAudit(1))[0]).toMatchObject({
      ...{ actor: 'anna', action: 'operator.sign-out', decision: 'allowed' },
    });
    await expect(out.ask('device.list')).rejects.toMatchObject({ code: 'sign-in-needed' });
    await out.close();
    const session = await signInAs(slice, anna, 1);
    const remote = remoteSlice(session, { ...slice.clock, now: () => Date.now() });
    await remote.ask('slice.about');
    slice.clock.offsetMs = 3_601_000;
    try {
      await expect(remote.ask('slice.about')).rejects.toMatchObject({ code: 'sign-in-needed' });
    } finally {
      slice.clock.offsetMs = 0;
      await remote.close();
    }
    expect(() => remoteSlice({ ...session, expiresAt: new Date(0).toISOString() }, slice.clock)).toThrow();
  });

  test('is refused once removed, at once, and also with a new sign-in; the certificate is revoked', async () => {
    const bob = await addOperator(slice, 'bob', 'read');
    await remotely(slice, bob, async (remote) => {
      await remote.ask('session.list');
      const removed = await asOperator(slice, (operator) =>
        operator.ask('operator.remove', { name: 'bob', why: 'left' }),
      );
      expect(removed).toEqual({ revoked: true });
      await expect(remote.ask('session.list')).rejects.toMatchObject({ code: 'operator-unknown' });
      await expect(remote.ask('session.list')).rejects.toMatchObject({ code: 'sign-in-needed' });
    });
    await expect(signInAs(slice, bob)).rejects.toMatchObject({ code: 'operator-unknown', detail: 'removed: left' });
    const { registry } = slice.running.context;
    const issued = await registry.findCertificate(bob.certificate.serialHex);
    expect(issued).toMatchObject({ kind: 'operator', revokeWhy: 'removed', revokedAt: expect.any(Number) as number });
  });

  test('may do what the role allows, and is told which one would', async () => {
    const [reader, helper] = [await addOperator(slice, 'rita', 'read'), await addOperator(slice, 'hugo', 'helpdesk')];
    const wish = { consent: 'no such consent' };
    await remotely(slice, reader, async (remote) => {
      await expect(remote.ask('consent.withdraw', wish)).rejects.toMatchObject({
        ...{ code: 'operator-role', detail: 'consent.withdraw needs helpdesk; rita is read' },
      });
    });
    await remotely(slice, helper, async (remote) => {
      await expect(remote.ask('consent.withdraw', wish)).rejects.toMatchObject({ code: 'consent-refused' });
      const burn = { serial: 1, why: 'lost' };
      await expect(remote.ask('yubikey.burn', burn)).rejects.toMatchObject({ code: 'operator-role' });
    });
    const refused = (await slice.running.context.registry.listAudit(10)).filter(({ code }) => code === 'operator-role');
    expect(refused.map(({ actor, action }) => [actor, action])).toEqual([
      ['hugo', 'yubikey.burn'],
      ['rita', 'consent.withdraw'],
    ]);
  });
});

test('a consent over the network is signed with the YubiKey of a helpdesk, and lets the laptop in once', async () => {
  const key = await slice.provision({ serial: 20_001_303 });
  const helper = await addOperator(slice, 'heidi', 'helpdesk');
  const { laptop, grant } = await enrollAndConfirm(slice, key);
  const again = async (): Promise<string> => {
    const started = await start(slice, key, newLaptop({ machine: laptop.machine }));
    return codeOf(await sendStatement(slice.gateway, started.sessionId, await seal(started, key)));
  };
  const file = (by: TestOperator, more: object = {}, as = by): Promise<string> =>
    remotely(slice, as, async (remote) => {
      const { id, fingerprintDigest } = await remote.ask('device.find', { device: grant.deviceId });
      const now = slice.clock.now();
      const consent = {
        ...{ protocol: PROTOCOL, slug: 'acme', consentId: randomUUID(), deviceId: id, fingerprint: fingerprintDigest },
        ...{ newMainboard: false, operator: by.name, why: 'new disk', issuedAt: new Date(now).toISOString() },
        ...{ expiresAt: new Date(now + 3_600_000).toISOString(), ...more },
      };
      const kid = jwkThumbprint(publicJwk(by.yubikey.key));
      const payload = JSON.stringify(consent);
      const jws = await signCompact({ typ: TYP.consent, kid, signer: by.yubikey.signer, payload });
      return (await remote.ask('consent.file', { consent: jws })).consentId;
    });
  expect(await again()).toBe('fingerprint-known');
  const refused = { code: 'consent-refused' };
  const reader = await addOperator(slice, 'rolf', 'read');
  await expect(file(reader)).rejects.toMatchObject({ code: 'operator-role' });
  await expect(file(reader, {}, helper)).rejects.toMatchObject({ ...refused, detail: 'not by an operator' });
  await expect(file(anna, {}, helper)).rejects.toMatchObject(refused);
  await expect(file(helper, { operator: 'anna' })).rejects.toMatchObject(refused);
  await expect(file(helper, { expiresAt: '2099-01-01T00:00:00.000Z' })).rejects.toMatchObject(refused);
  await expect(
    remotely(slice, helper, (remote) =>
      remote.ask('consent.give', { device: grant.deviceId, hours: 1, why: 'x', newMainboard: false }),
    ),
  ).rejects.toMatchObject({ code: 'usage' });
  const consentId = await file(helper);
  expect(await again()).toBe('ok');
  const consents = await asOperator(slice, (root) => root.ask('consent.list'));
  expect(consents.find(({ id }) => id === consentId)).toMatchObject({ state: 'used', operator: 'heidi' });
});

describe('one kind of certificate is never used for the other', () => {
  test('an enrollment certificate does not sign in', async () => {
    const key = await slice.provision({ serial: 20_001_302 });
    const certificate = key.chain[0];
    if (certificate === undefined) throw new TypeError('a certificate');
    await expect(signInAs(slice, { yubikey: key, certificate })).rejects.toMatchObject({
      ...{ code: 'operator-unknown', detail: 'not the certificate of an operator' },
    });
  });

  test("an operator's certificate enrolls no laptop", async () => {
    const key = { ...anna.yubikey, chain: [anna.certificate, slice.running.context.identity.intermediate] };
    const started = await start(slice, key);
    const answer = await sendStatement(slice.gateway, started.sessionId, await seal(started, key));
    expect(codeOf(answer)).toBe('key-chain-refused');
  });
});
