import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { LocalSlice } from '../../../src/slice/operator/open-slice.ts';
import { reap } from '../../../src/slice/upkeep/reap.ts';
import { newLaptop, readStatus, sendLeave, sendStatement, sendStatus } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import {
  asOperator,
  codeOf,
  consentTo,
  enrollAndConfirm,
  livingDevices,
  seal,
  start,
  type Enrolled,
} from './enrolling.ts';

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 20_000_501 });
});
afterAll(() => slice.remove());

const endBy = async (operator: LocalSlice, device: string, why: 'lost' | 'offboarded') => {
  const { id } = await operator.ask('device.find', { device });
  return operator.ask('device.end', { devices: [id], why });
};
const active = (): Promise<Enrolled> => enrollAndConfirm(slice, key);

describe('a device that an operator ends', () => {
  test.each(['lost', 'offboarded'] as const)('as %s is gone, and its laptop is told so', async (why) => {
    const { laptop, grant } = await active();
    await asOperator(slice, async (operator) => {
      const ended = await endBy(operator, grant.hostName, why);
      expect(ended).toEqual({ revoked: true });
      if (why === 'lost')
        expect(await operator.ask('device.find', { device: grant.hostName })).toMatchObject({ endReason: 'lost' });
      else
        await expect(operator.ask('device.find', { device: grant.hostName })).rejects.toMatchObject({
          code: 'device-unknown',
        });
    });
    // The gateway has to remove the peer.
    await reap(slice.running.context);
    const peer = slice.endpoint.peers.get(laptop.wireguardPublicKey);
    if (why === 'lost') expect(peer).toMatchObject({ address: grant.wireguard.address, restricted: true });
    else expect(peer).toBeUndefined();
    const { registry } = slice.running.context;
    expect(await registry.listDuties('peer', 10)).toEqual([]);
    expect((await registry.findDevice(grant.deviceId))?.toldAt).toBeNull();
    const answer = readStatus(await sendStatus(slice.gateway, laptop, grant.deviceId));
    expect(answer).toMatchObject({ state: 'ended', endReason: why, fleet: null });
    expect((await registry.findDevice(grant.deviceId))?.toldAt).toBeGreaterThan(0);
    const again = await start(slice, key, newLaptop({ machine: laptop.machine }));
    const answered = await sendStatement(slice.gateway, again.sessionId, await seal(again, key));
    expect(codeOf(answered)).toBe(why === 'lost' ? 'fingerprint-known' : 'ok');
  });

  test('as lost enrolls again with a consent; until then its own uninstall leaves the host that Fleet is to wipe', async () => {
    const { laptop, grant } = await active();
    const { registry } = slice.running.context;
    await asOperator(slice, async (operator) => {
      await endBy(operator, grant.deviceId, 'lost');
    });
    expect(readStatus(await sendLeave(slice.gateway, laptop, grant.deviceId))).toMatchObject({ endReason: 'lost' });
    expect((await registry.listDuties('fleet-host', 100)).map(({ id }) => id)).not.toContain(grant.deviceId);
    await consentTo(slice, grant.hostName);
    const again = await enrollAndConfirm(slice, key, newLaptop({ machine: laptop.machine }));
    expect(await registry.findDevice(grant.deviceId)).toMatchObject({ endReason: 'superseded' });
    expect(again.grant.deviceId).not.toBe(grant.deviceId);
  });

  test('has its host deleted from Fleet, unless it was lost', async () => {
    const [lost, gone] = [await active(), await active()];
    await asOperator(slice, async (operator) => {
      await endBy(operator, lost.grant.deviceId, 'lost');
      await endBy(operator, gone.grant.deviceId, 'offboarded');
    });
    const duties = (await slice.running.context.registry.listDuties('fleet-host', 100)).map(({ id }) => id);
    expect([duties.includes(lost.grant.deviceId), duties.includes(gone.grant.deviceId)]).toEqual([false, true]);
  });

  test('together with all others: the customer leaves', async () => {
    await active();
    await asOperator(slice, async (operator) => {
      const live = (await operator.ask('device.list')).filter(({ state }) => state !== 'ended');
      await operator.ask('device.end', { devices: live.map(({ id }) => id), why: 'churn' });
    });
    expect(await livingDevices(slice)).toEqual([]);
  });
});
