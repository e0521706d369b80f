import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { digest } from '../../../src/core/bytes.ts';
import { PROTOCOL, TYP, MEDIA } from '../../../src/protocol/common.ts';
import type { DeviceStatus } from '../../../src/protocol/device-messages.ts';
import {
  fingerprintOf,
  newMachine,
  PATHS,
  readStatus,
  sendStatus,
  signDeviceMessage,
  type Answer,
  type Machine,
} from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, enroll, enrollAndConfirm, type Enrolled } from './enrolling.ts';

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 20_000_601 });
});
afterAll(() => slice.remove());

const active = (): Promise<Enrolled> => enrollAndConfirm(slice, key);

/** Asks for the status with the laptop's key, on any machine. */
async function ask({ laptop, grant, challenge }: Enrolled, machine: Machine, change: object = {}): Promise<Answer> {
  const { deviceId } = grant;
  const message = {
    ...{ protocol: PROTOCOL, deviceId, nonce: Buffer.alloc(16).toString('base64url') },
    fingerprint: { ...fingerprintOf(machine, challenge.content.fingerprintSalt), ...change },
    timestamp: new Date().toISOString(),
  };
  const jws = await signDeviceMessage(laptop, TYP.status, message);
  return slice.gateway.send('POST', PATHS.device(deviceId, 'status'), MEDIA.jose, jws);
}
const hardware = async (enrolled: Enrolled, machine: Machine): Promise<DeviceStatus['hardware']> =>
  readStatus(await ask(enrolled, machine)).hardware;

const alarmsOf = async ({ grant }: Enrolled) =>
  (await asOperator(slice, (operator) => operator.ask('alarm.list'))).filter(
    ({ deviceId }) => deviceId === grant.deviceId,
  );

describe('a device key', () => {
  test('on its own laptop is on the same hardware, even with another disk or adapter', async () => {
    const enrolled = await active();
    const { machine } = enrolled.laptop;
    expect(await hardware(enrolled, machine)).toBe('same');
    expect(await hardware(enrolled, { ...machine, disk: ['new-disk'] })).toBe('same');
    expect(await hardware(enrolled, { ...machine, mac: ['new-mac'] })).toBe('same');
    expect(readStatus(await sendStatus(slice.gateway, enrolled.laptop, enrolled.grant.deviceId)).hardware).toBeNull();
    expect(await alarmsOf(enrolled)).toEqual([]);
  });

  test('on another machine raises an alarm that names both, once, and stops neither', async () => {
    const [original, other] = [await active(), await active()];
    const elsewhere = newMachine();
    for (let round = 0; round < 3; round++) {
      expect(readStatus(await ask(original, elsewhere))).toMatchObject({ state: 'active', hardware: 'changed' });
    }
    expect(readStatus(await ask(original, original.laptop.machine))).toMatchObject({
      state: 'active',
      hardware: 'seen-elsewhere',
    });
    expect(await hardware(original, other.laptop.machine)).toBe('changed');

    const alarms = await alarmsOf(original);
    const digestOf = (machine: Machine): string =>
      fingerprintOf(machine, original.challenge.content.fingerprintSalt).digest;
    expect(alarms).toHaveLength(2);
    expect(alarms[1]?.why).toContain(`enrolled on hardware ${digestOf(original.laptop.machine)}`);
    expect(alarms[1]?.why).toContain(`in use on hardware ${digestOf(elsewhere)}`);
    expect(alarms[1]?.why).toContain('uuid, system-serial');
    expect(alarms[0]?.why).toContain(other.grant.deviceId);
    expect(await hardware(other, other.laptop.machine)).toBe('same');
  });

  test('of an ended device cannot bury another alarm; an operator acknowledges what he has looked at', async () => {
    const [real, ended] = [await active(), await active()];
    expect(await hardware(real, newMachine())).toBe('changed');
    await asOperator(slice, async (operator) => {
      await operator.ask('device.end', { devices: [ended.grant.deviceId], why: 'offboarded' });
    });
    for (let n = 0; n < 12; n++) expect(await hardware(ended, newMachine())).toBe('changed');
    expect(await alarmsOf(ended)).toHaveLength(5);
    const [alarm] = await alarmsOf(real);
    await asOperator(slice, (operator) =>
      operator.ask('alarm.acknowledge', { alarm: alarm?.id ?? 0, why: 'a new mainboard' }),
    );
    expect(await alarmsOf(real)).toEqual([]);
    const [entry] = await slice.running.context.registry.listAudit(1);
    expect(entry).toMatchObject({ action: 'alarm.acknowledge', why: `alarm ${alarm?.id}: a new mainboard` });
  });

  test('does not confirm an enrollment with hardware that is not a valid fingerprint', async () => {
    const { laptop, grant, grantJwe, challenge } = await enroll(slice, key);
    const { deviceId } = grant;
    const confirm = async (change: object): Promise<Answer> => {
      const message = {
        ...{ protocol: PROTOCOL, deviceId, grantHash: digest(grantJwe) },
        fingerprint: { ...fingerprintOf(laptop.machine, challenge.content.fingerprintSalt), ...change },
        timestamp: new Date().toISOString(),
      };
      const jws = await signDeviceMessage(laptop, TYP.confirm, message);
      return slice.gateway.send('POST', PATHS.device(deviceId, 'confirm'), MEDIA.jose, jws);
    };
    expect(codeOf(await confirm({ digest: digest('another') }))).toBe('fingerprint-refused');
    expect((await slice.running.context.registry.findDevice(deviceId))?.state).toBe('pending');
    expect(readStatus(await confirm({}))).toMatchObject({ state: 'active', hardware: 'same' });
  });

  test('cannot report hardware that is not a valid fingerprint', async () => {
    const enrolled = await active();
    const flawed = await ask(enrolled, enrolled.laptop.machine, { digest: Buffer.alloc(32).toString('base64url') });
    expect(codeOf(flawed)).toBe('fingerprint-refused');
    expect(codeOf(await ask(enrolled, { disk: ['a'] }))).toBe('fingerprint-refused');
  });
});
