import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parseCertificate } from '../../../src/pki/certificate.ts';
import { grantDevice } from '../../../src/slice/enrollment/grant-device.ts';
import { BY_YUBIKEY } from '../../../src/slice/enrollment/validate-statement.ts';
import type { SliceContext } from '../../../src/slice/slice-context.ts';
import { newLaptop, newMachine, sendConfirm, sendStatement } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, consentTo, enroll, seal, start } from './enrolling.ts';

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 20_000_101 });
});
afterAll(() => slice.remove());

const audit = { requestId: 'test', actor: 'test', action: 'test', decision: 'allowed' } as const;

describe('a known laptop', () => {
  test('is refused without consent, and its first enrollment stays', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    await slice.running.context.registry.confirm(first.grant.deviceId, Date.now(), audit);
    const second = await start(slice, key, newLaptop({ machine: laptop.machine }));
    const answer = await sendStatement(slice.gateway, second.sessionId, await seal(second, key));
    expect(codeOf(answer)).toBe('fingerprint-known');
    expect((await slice.running.context.registry.findDevice(first.grant.deviceId))?.state).toBe('active');
  });

  test('supersedes its own enrollment with consent; the old one ends', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    const { registry } = slice.running.context;
    await registry.confirm(first.grant.deviceId, Date.now(), audit);
    const { consentId } = await consentTo(slice, first.grant.deviceId);
    const again = newLaptop({ machine: laptop.machine, hostName: laptop.hostName });
    const second = await start(slice, key, again);
    second.statement.consentId = consentId;
    second.statement.priorDeviceId = first.grant.deviceId;
    const answer = await sendStatement(slice.gateway, second.sessionId, await seal(second, key));
    expect(codeOf(answer), answer.body).toBe('ok');
    const old = await registry.findDevice(first.grant.deviceId);
    expect([old?.state, old?.endReason]).toEqual(['ended', 'superseded']);
    expect(slice.endpoint.peers.has(laptop.wireguardPublicKey)).toBe(false);
    expect(slice.endpoint.peers.has(again.wireguardPublicKey)).toBe(true);
    // A consent can be used once.
    const third = await start(slice, key, newLaptop({ machine: laptop.machine }));
    third.statement.consentId = consentId;
    const refused = await sendStatement(slice.gateway, third.sessionId, await seal(third, key));
    expect(codeOf(refused)).toBe('consent-refused');
  });

  test('may try again with the same key when its enrollment was never confirmed', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    const second = await enroll(slice, key, newLaptop({ machine: laptop.machine, hostName: laptop.hostName }));
    expect(second.grant.hostName).toBe(laptop.hostName);
    expect((await slice.running.context.registry.findDevice(first.grant.deviceId))?.state).toBe('ended');
  });

  test('as a copy of another (equal UUID, other components different) raises an alarm that names both', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    const copy = newLaptop({ machine: { ...newMachine(), uuid: laptop.machine.uuid ?? '' } });
    const second = await start(slice, key, copy);
    const answer = await sendStatement(slice.gateway, second.sessionId, await seal(second, key));
    expect(codeOf(answer)).toBe('fingerprint-clone');
    const records = await slice.running.context.registry.listAudit(2);
    const alarm = records.find((record) => record.decision === 'alarm');
    expect(alarm?.deviceId).toBe(first.grant.deviceId);
    expect(alarm?.why).toContain(second.sessionId);
    expect(alarm?.why).toContain(first.grant.deviceId);
  });

  test('whose keys are on another machine is a clone', async () => {
    const laptop = newLaptop();
    await enroll(slice, key, laptop);
    const copy = await start(slice, key, { ...laptop, machine: newMachine() });
    const answer = await sendStatement(slice.gateway, copy.sessionId, await seal(copy, key));
    expect(codeOf(answer)).toBe('fingerprint-clone');
  });

  test('gets a suffix when another laptop has its name', async () => {
    const laptop = newLaptop();
    await enroll(slice, key, laptop);
    const other = await enroll(slice, key, newLaptop({ hostName: laptop.hostName }));
    expect(other.grant.hostName).toMatch(new RegExp(`^${laptop.hostName}-[0-9a-f]{4}$`));
    const leaf = parseCertificate(Buffer.from(other.grant.certificate.chain[0] ?? '', 'base64url'));
    expect(leaf.subject.cn).toBe(other.grant.hostName);
    // A single label is no name that the intermediate may certify.
    expect(leaf.sanDns).toEqual([]);
  });
});

describe('a change while a statement is being processed', () => {
  /** The gateway's context, with `work` run between the reservation and the grant. */
  const meanwhile = (work: () => Promise<unknown>): SliceContext => {
    const context = slice.running.context;
    const sign: SliceContext['ca']['sign'] = async (input) => {
      const pem = await context.ca.sign(input);
      await work();
      return pem;
    };
    return { ...context, ca: { ...context.ca, sign } };
  };
  const send = (context: SliceContext, sessionId: string, jwe: string) =>
    grantDevice(
      context,
      sessionId,
      Buffer.from(jwe),
      { requestId: 'meanwhile', remote: 'test', action: 'enrollment.grant' },
      BY_YUBIKEY,
    );

  test('the key is burned: there is no grant, then or later, and no live device', async () => {
    const lost = await slice.provision({ serial: 20_000_111 });
    const { registry } = slice.running.context;
    const pending = await enroll(slice, lost);
    const started = await start(slice, lost);
    const jwe = await seal(started, lost);
    const burning = meanwhile(() => registry.burnYubikey(lost.serial, 'lost', Date.now(), audit));
    await expect(send(burning, started.sessionId, jwe)).rejects.toMatchObject({ code: 'yubikey-burned' });
    expect(codeOf(await sendStatement(slice.gateway, started.sessionId, jwe))).toBe('yubikey-burned');
    expect(codeOf(await sendStatement(slice.gateway, pending.sessionId, pending.jwe))).toBe('yubikey-burned');
    const { laptop, grant, grantJwe } = pending;
    expect(codeOf(await sendConfirm(slice.gateway, laptop, grant.deviceId, grantJwe))).toBe('yubikey-burned');
    const living = (await registry.listDevices()).filter((device) => device.yubikeySerial === lost.serial);
    expect(living.map((device) => device.endReason)).toEqual(['yubikey-burned', 'yubikey-burned']);
    expect(slice.endpoint.peers.has(started.laptop.wireguardPublicKey)).toBe(false);
  });

  test('the enrollment that it would supersede is confirmed: that one stays', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    const second = await start(slice, key, newLaptop({ machine: laptop.machine }));
    const { registry } = slice.running.context;
    const confirming = meanwhile(() => registry.confirm(first.grant.deviceId, Date.now(), audit));
    const answer = send(confirming, second.sessionId, await seal(second, key));
    await expect(answer).rejects.toMatchObject({ code: 'fingerprint-known' });
    expect((await registry.findDevice(first.grant.deviceId))?.state).toBe('active');
    expect(slice.endpoint.peers.has(laptop.wireguardPublicKey)).toBe(true);
  });
});
