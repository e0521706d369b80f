import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  readStatement,
  signPayload,
  signStatement,
  type OperatorKey,
} from '../../../src/operator-client/sign-statement.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import type { Grant } from '../../../src/protocol/grant.ts';
import type { Arguments, Verb } from '../../../src/protocol/operator-verbs.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, enrollAndConfirm } from '../slice/enrolling.ts';
import { addOperator, remotely, requestOf, type TestOperator } from './operating.ts';

// Two admins at two machines, a slice with real step-ca and registry.

let slice: TestSlice;
let anna: TestOperator;
let bob: TestOperator;
let last: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  last = await slice.provision({ serial: 20_001_401 });
  [anna, bob] = [await addOperator(slice, 'anna', 'admin'), await addOperator(slice, 'bob', 'admin')];
});
afterAll(() => slice.remove());

const keyOf = ({ name, yubikey }: TestOperator): OperatorKey => ({
  ...{ name, signer: yubikey.signer, kid: jwkThumbprint(publicJwk(yubikey.key)) },
});
const burnLast = (): Arguments<'yubikey.burn'> => ({ serial: last.serial, why: 'the office burned down' });

/** Leaves a statement, signed by this operator. @returns its id and bytes */
function ask<V extends Verb>(by: TestOperator, verb: V, given: Arguments<V>, hours = 1) {
  return remotely(slice, by, async (remote) => {
    const wish = { slug: 'acme', verb, given, hours };
    const jws = await signStatement(wish, keyOf(by), slice.clock.now());
    const { id } = await remote.ask('approval.ask', { statement: jws });
    return { id, payload: readStatement(jws).payload };
  });
}
const approve = async (by: TestOperator, id: string, payload: Buffer, as = by) => {
  const signature = await signPayload(payload, keyOf(by));
  return remotely(slice, as, (remote) => remote.ask('approval.approve', { approval: id, signature }));
};
const isBurned = async (): Promise<boolean> =>
  (await slice.running.context.registry.findYubikey(last.serial))?.burnedAt !== null;

test('what is critical is refused to one operator, over the network and in the folder', async () => {
  const refused = { code: 'second-operator-needed', detail: 'yubikey.burn' };
  await expect(remotely(slice, anna, (remote) => remote.ask('yubikey.burn', burnLast()))).rejects.toMatchObject(
    refused,
  );
  await expect(asOperator(slice, (root) => root.ask('yubikey.burn', burnLast()))).rejects.toMatchObject(refused);
  expect(await remotely(slice, anna, (remote) => remote.ask('slice.about'))).toMatchObject({ twoPersons: true });
  expect(await isBurned()).toBe(false);
});

test('the same operator, another statement, a helpdesk, a removed admin and somebody else’s session approve nothing', async () => {
  const { id, payload } = await ask(anna, 'yubikey.burn', burnLast());
  const refused = (detail: string) => ({ code: 'approval-refused', detail });
  await expect(approve(anna, id, payload)).rejects.toMatchObject(refused('both signatures are of the same operator'));
  const other = await ask(anna, 'yubikey.burn', { serial: 5, why: 'another one' });
  await expect(approve(bob, id, other.payload)).rejects.toMatchObject(
    refused('the signature of bob is not over these bytes'),
  );
  const hugo = await addOperator(slice, 'hugo', 'helpdesk');
  await expect(approve(hugo, id, payload)).rejects.toMatchObject({ code: 'operator-role' });
  await expect(approve(hugo, id, payload, bob)).rejects.toMatchObject(refused('hugo is helpdesk, and no admin'));
  await expect(approve(bob, id, payload, anna)).rejects.toMatchObject(
    refused('signed with another YubiKey than you are signed in with'),
  );
  expect(await isBurned()).toBe(false);
});

test('a statement expires, and can be refused', async () => {
  const late = await ask(anna, 'yubikey.burn', burnLast());
  slice.clock.offsetMs = 3_601_000;
  try {
    await expect(approve(bob, late.id, late.payload)).rejects.toMatchObject({
      ...{ code: 'approval-refused', detail: 'expired' },
    });
    const list = await asOperator(slice, (root) => root.ask('approval.list'));
    expect(list.find(({ id }) => id === late.id)).toMatchObject({ state: 'expired', askedBy: 'anna' });
  } finally {
    slice.clock.offsetMs = 0;
  }
  const { id, payload } = await ask(anna, 'yubikey.burn', burnLast());
  await remotely(slice, bob, (remote) => remote.ask('approval.refuse', { approval: id, why: 'it is in the safe' }));
  await expect(approve(bob, id, payload)).rejects.toMatchObject({ code: 'approval-unknown' });
  expect(await isBurned()).toBe(false);
});

test('two admins carry it out once, and both signatures are in the registry and in the audit', async () => {
  const { id, payload } = await ask(anna, 'yubikey.burn', burnLast());
  const done = await approve(bob, id, payload);
  expect(done).toEqual({ verb: 'yubikey.burn', result: { revoked: true } });
  expect(await isBurned()).toBe(true);
  await expect(approve(bob, id, payload)).rejects.toMatchObject({ code: 'approval-unknown' });
  const { registry } = slice.running.context;
  const kept = await registry.findApproval(id);
  expect(kept).toMatchObject({ state: 'approved', askedBy: 'anna', decidedBy: 'bob' });
  expect((JSON.parse(kept?.statement ?? '') as { signatures: object[] }).signatures).toHaveLength(2);
  const [burned, approved] = (await registry.listAudit(10))
    .filter(({ code }) => code === undefined)
    .filter(({ action }) => action === 'yubikey.burn' || action === 'approval.approve');
  expect(burned).toMatchObject({ actor: 'anna and bob', action: 'yubikey.burn', yubikeySerial: last.serial });
  expect(approved).toMatchObject({ actor: 'bob', why: `yubikey.burn: ${kept?.statement}` });
  // The export, which is read line by line, takes such a record.
  expect(await asOperator(slice, (root) => root.ask('audit.verify', {}))).toMatchObject({ fault: undefined });
  const { records } = await asOperator(slice, (root) => root.ask('audit.export', { after: 0 }));
  expect(records.map(({ why }) => why)).toContain(`yubikey.burn: ${kept?.statement}`);
});

test('a laptop is reported lost by one, over the network, and wiped by two', async () => {
  const key = await slice.provision({ serial: 20_001_403 });
  const [first, second] = [await enrollAndConfirm(slice, key), await enrollAndConfirm(slice, key)];
  const wish = (grant: Grant) => ({ device: grant.deviceId, why: 'left in a train' });
  const hilda = await addOperator(slice, 'hilda', 'helpdesk');
  await expect(remotely(slice, hilda, (remote) => remote.ask('device.lose', wish(first.grant)))).rejects.toMatchObject({
    code: 'operator-role',
  });
  const lost = await remotely(slice, anna, (remote) => remote.ask('device.lose', wish(first.grant)));
  expect(lost).toMatchObject({ device: { state: 'ended', endReason: 'lost' } });
  expect(lost.certificates.every(({ revokeWhy }) => revokeWhy !== null)).toBe(true);
  expect(lost.loss.map(({ part }) => part)).toContain('recovery-key');
  const { registry } = slice.running.context;
  expect((await registry.listAudit(20)).find(({ action }) => action === 'device.lost')).toMatchObject({
    ...{ actor: 'anna', deviceId: first.grant.deviceId, decision: 'allowed' },
  });

  const wipe = { ...wish(second.grant), action: 'wipe' } as const;
  await expect(remotely(slice, anna, (remote) => remote.ask('device.lose', wipe))).rejects.toMatchObject({
    code: 'second-operator-needed',
  });
  expect((await registry.findDevice(second.grant.deviceId))?.state).toBe('active');
  const { id, payload } = await ask(anna, 'device.lose', wipe);
  const { result } = await approve(bob, id, payload);
  expect(result).toMatchObject({ device: { id: second.grant.deviceId, endReason: 'lost' }, tunnel: 'fleet-only' });
  expect(await registry.listLoss(second.grant.deviceId)).toContainEqual(expect.objectContaining({ part: 'wipe' }));
});

test('an admin is made and removed by two; the signature of one who was removed counts no more', async () => {
  const made = await slice.provision({ serial: 20_001_402 }, { register: false });
  const wish = { name: 'carla', role: 'admin', ...(await requestOf(made)) } as const;
  const asked = await ask(anna, 'operator.add', wish);
  const { result } = await approve(bob, asked.id, asked.payload);
  expect(result).toMatchObject({ name: 'carla', role: 'admin', addedBy: 'anna and bob' });
  // Bob asks, and is removed before anna approves.
  const bobs = await ask(bob, 'slice.protect', { when: 'never', manyDevices: 0 });
  const removal = await ask(anna, 'operator.remove', { name: 'bob', why: 'left' });
  const carla = {
    ...{ name: 'carla', yubikey: made },
    certificate: parseCertificate(Buffer.from((result as { certificate: string }).certificate, 'base64url')),
  };
  await approve(carla, removal.id, removal.payload);
  await expect(approve(anna, bobs.id, bobs.payload)).rejects.toMatchObject({
    ...{ code: 'approval-refused', detail: 'not by an operator of this slice' },
  });
  await expect(ask(bob, 'audit.accept', { why: 'x' })).rejects.toMatchObject({ code: 'operator-unknown' });
});
