import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { signCompact } from '../../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { TYP } from '../../../src/protocol/common.ts';
import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { newLaptop, newMachine, sendStatement, type Laptop, type Machine } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, consentTo, enrollAndConfirm, seal, start, type Enrolled } from './enrolling.ts';

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 20_000_401 });
});
afterAll(() => slice.remove());

const active = (laptop?: Laptop): Promise<Enrolled> => enrollAndConfirm(slice, key, laptop);

/**
 * The same person with the same key enrolls on this machine, with a new device key.
 * @returns the gateway's answer
 */
async function again(machine: Machine, deviceKey?: Laptop['deviceKey']): Promise<ErrorCode | 'ok'> {
  const started = await start(slice, key, newLaptop({ machine, ...(deviceKey === undefined ? {} : { deviceKey }) }));
  return codeOf(await sendStatement(slice.gateway, started.sessionId, await seal(started, key)));
}

const stateOf = async (consentId: string): Promise<string | undefined> =>
  (await asOperator(slice, (operator) => operator.ask('consent.list'))).find(({ id }) => id === consentId)?.state;

/** Acts as somebody who can write to the registry but has no operator's key. */
function write(sql: string, ...values: (string | number)[]): void {
  const db = new DatabaseSync(slice.paths.registry, { timeout: 5000 });
  try {
    db.prepare(sql).run(...values);
  } finally {
    db.close();
  }
}
const plant = (id: string, deviceId: string, jws: string): void =>
  write(
    'INSERT INTO consent (id, device_id, created_at, expires_at, jws) VALUES (?, ?, 0, 9e15, ?)',
    id,
    deviceId,
    jws,
  );

describe('a laptop that is enrolled', () => {
  test('is asked for a consent once, enrolls with it, and is asked again', async () => {
    const { laptop, grant } = await active();
    expect(await again(laptop.machine)).toBe('fingerprint-known');
    const { consentId } = await consentTo(slice, grant.deviceId);
    expect(await stateOf(consentId)).toBe('open');
    const second = await active(newLaptop({ machine: laptop.machine }));
    expect(await stateOf(consentId)).toBe('used');
    expect((await slice.running.context.registry.findDevice(grant.deviceId))?.endReason).toBe('superseded');
    expect(await again(laptop.machine)).toBe('fingerprint-known');
    expect((await slice.running.context.registry.findDevice(second.grant.deviceId))?.state).toBe('active');
  });

  test('is recognized with another disk, and needs a consent like any other', async () => {
    const { laptop, grant } = await active();
    const machine = { ...laptop.machine, disk: ['another-disk'] };
    expect(await again(machine)).toBe('fingerprint-known');
    await consentTo(slice, grant.hostName);
    expect(await again(machine)).toBe('ok');
  });

  test('with a mainboard that reports the old UUID looks like a copy, until the operator consents to a new mainboard', async () => {
    const { laptop, grant } = await active();
    const machine = { ...newMachine(), uuid: laptop.machine.uuid ?? '' };
    expect(await again(machine)).toBe('fingerprint-clone');
    await consentTo(slice, grant.deviceId);
    expect(await again(machine)).toBe('fingerprint-clone');
    await consentTo(slice, grant.deviceId, { newMainboard: true });
    expect(await again(machine)).toBe('ok');
    expect((await slice.running.context.registry.findDevice(grant.deviceId))?.endReason).toBe('superseded');
  });

  test('with an entirely new mainboard and its old key also looks like a copy; with a new key it is a new laptop', async () => {
    const { laptop, grant } = await active();
    expect(await again(newMachine(), laptop.deviceKey)).toBe('fingerprint-clone');
    await consentTo(slice, grant.deviceId, { newMainboard: true });
    expect(await again(newMachine(), laptop.deviceKey)).toBe('ok');
    expect(await again(newMachine())).toBe('ok');
  });
});

describe('a consent', () => {
  test('is valid for one laptop, and for a limited time', async () => {
    const [one, other] = [await active(), await active()];
    const { consentId } = await consentTo(slice, one.grant.deviceId, { hours: 1 });
    expect(await again(other.laptop.machine)).toBe('fingerprint-known');
    slice.clock.offsetMs += 3_601_000;
    try {
      expect(await again(one.laptop.machine)).toBe('fingerprint-known');
      expect(await stateOf(consentId)).toBe('expired');
    } finally {
      slice.clock.offsetMs -= 3_601_000;
    }
  });

  test('can be used again when the enrollment fails', async () => {
    const { laptop, grant } = await active();
    const { consentId } = await consentTo(slice, grant.deviceId);
    const { context } = slice.running;
    const sign = context.ca.sign.bind(context.ca);
    Object.assign(context.ca, { sign: () => Promise.reject(new Error('away')) });
    expect(await again(laptop.machine)).toBe('internal');
    Object.assign(context.ca, { sign });
    expect(await stateOf(consentId)).toBe('open');
    expect(await again(laptop.machine)).toBe('ok');
  });

  test('can be withdrawn while it is unused', async () => {
    const { laptop, grant } = await active();
    const { consentId } = await consentTo(slice, grant.deviceId);
    await asOperator(slice, (operator) => operator.ask('consent.withdraw', { consent: consentId }));
    expect(await again(laptop.machine)).toBe('fingerprint-known');
    await expect(
      asOperator(slice, (operator) => operator.ask('consent.withdraw', { consent: consentId })),
    ).rejects.toMatchObject({
      code: 'consent-refused',
    });
  });

  test('that no operator signed is worthless, even to somebody who can write to the registry', async () => {
    const { laptop, grant } = await active();
    const [victim, other] = [await active(), await active()];
    const signed = await consentTo(slice, other.grant.deviceId);
    const consents = await slice.running.context.registry.listConsents();
    const genuine = consents.find(({ id }) => id === signed.consentId)?.jws ?? '';
    const key = generateP256();
    const kid = jwkThumbprint(publicJwk(key));
    const device = await slice.running.context.registry.findDevice(victim.grant.deviceId);
    const content = { ...signed, deviceId: victim.grant.deviceId, fingerprint: device?.fingerprintDigest };
    const minted = (more: object = {}): Promise<string> =>
      signCompact({ typ: TYP.consent, kid, signer: keySigner(key), payload: JSON.stringify({ ...content, ...more }) });
    const [operator] = slice.running.context.config.operators;
    const operatorKid = jwkThumbprint(operator?.key ?? publicJwk(key));
    const id = randomUUID();
    const forgeries: [string, string][] = [
      [randomUUID(), ''],
      [randomUUID(), genuine],
      [id, await minted({ consentId: id })],
      [signed.consentId.replace(/^./, (first) => (first === '0' ? '1' : '0')), genuine],
      [
        id,
        await signCompact({
          ...{ typ: TYP.consent, kid: operatorKid, signer: keySigner(key) },
          payload: JSON.stringify({ ...content, consentId: id }),
        }),
      ],
    ];
    for (const [forged, jws] of forgeries) {
      plant(forged, victim.grant.deviceId, jws);
      expect(await again(victim.laptop.machine)).toBe('consent-refused');
      expect(await stateOf(forged)).toBe('worthless');
      write('DELETE FROM consent WHERE id = ?', forged);
    }
    // Nor can a genuine consent be renewed, extended or transferred to another laptop.
    const { consentId } = await consentTo(slice, grant.deviceId);
    const spent = await active(newLaptop({ machine: laptop.machine }));
    write('UPDATE consent SET used_at = NULL WHERE id = ?', consentId);
    expect(await again(laptop.machine)).toBe('fingerprint-known');
    write('UPDATE consent SET device_id = ? WHERE id = ?', spent.grant.deviceId, consentId);
    expect(await again(laptop.machine)).toBe('consent-refused');
    write('UPDATE consent SET expires_at = 9e15 WHERE id = ?', signed.consentId);
    slice.clock.offsetMs += 3_601_000;
    try {
      expect(await again(other.laptop.machine)).toBe('consent-refused');
    } finally {
      slice.clock.offsetMs -= 3_601_000;
    }
  });
});
