import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Registry } from '../../../src/slice/registry/registry.ts';
import { active, audit, consentTo, newFingerprint, NOW, refusal, register, reserve, reserved } from './material.ts';
import type { RegistryUnderTest } from './registry-contract.ts';

/** What every registry promises about the consents of operators (`Registry`). */
export function describeConsents(name: string, makeRegistry: () => Promise<RegistryUnderTest>): void {
  describe(`consents in ${name}`, () => {
    let made: RegistryUnderTest;
    let registry: Registry;
    beforeEach(async () => {
      made = await makeRegistry();
      ({ registry } = made);
      await register(registry);
    });
    afterEach(() => made.remove());

    test('are spent once, and come back with a reservation that is undone', async () => {
      const fingerprint = newFingerprint();
      const device = await active(registry, { fingerprint });
      const consentId = await consentTo(registry, device);
      const again = await reserved(registry, { fingerprint });
      expect(again.device.supersedes).toBe(device.id);
      expect((await registry.listConsents())[0]?.usedAt).toBe(NOW);
      await registry.rollbackReservation(again.device.id);
      expect((await registry.listConsents())[0]?.usedAt).toBeNull();
      const two = await Promise.all([
        reserve(registry, { fingerprint, consentId }),
        reserve(registry, { fingerprint }),
      ]);
      expect(two.map(({ result }) => refusal(result)).filter((code) => code === 'none')).toHaveLength(1);
    });

    test('end with their laptop; one that is lost may be given another, until it ends for good', async () => {
      const open = async (): Promise<string[]> =>
        (await registry.listConsents()).filter(({ usedAt }) => usedAt === null).map(({ id }) => id);
      for (const reason of ['offboarded', 'churn', 'uninstalled', 'yubikey-burned', 'superseded'] as const) {
        const device = await active(registry);
        const consentId = await consentTo(registry, device);
        const other = await consentTo(registry, await active(registry));
        await registry.endDevice(device.id, reason, NOW, audit('device.end', { deviceId: device.id }));
        expect([reason, await open()]).toEqual([reason, [other]]);
        const [end, withdrawn] = await registry.listAudit(2);
        expect(end?.action).toBe('device.end');
        expect(withdrawn).toMatchObject({ action: 'device.withdraw', actor: 'test', deviceId: device.id });
        expect(withdrawn?.why).toBe(`consent ${consentId}: its laptop has ended (${reason})`);
        await registry.withdrawConsent(other, NOW, audit());
      }
      const fingerprint = newFingerprint();
      const lost = await active(registry, { fingerprint });
      await consentTo(registry, lost);
      await registry.reportLost(lost.id, [], NOW, audit('device.lost', { deviceId: lost.id }));
      // A thief must not find the consent from before.
      expect(await open()).toEqual([]);
      expect(refusal((await reserve(registry, { fingerprint })).result)).toBe('fingerprint-known');
      const found = await consentTo(registry, lost);
      await registry.reportLost(lost.id, [], NOW, audit('device.lost', { deviceId: lost.id }));
      expect(await open()).toEqual([found]);
      await registry.endDevice(lost.id, 'offboarded', NOW, audit());
      expect(await open()).toEqual([]);
    });

    test('whose laptop has ended meanwhile do not come back with the reservation', async () => {
      const fingerprint = newFingerprint();
      const device = await active(registry, { fingerprint });
      await consentTo(registry, device);
      const again = await reserved(registry, { fingerprint });
      await registry.endDevice(device.id, 'offboarded', NOW, audit());
      await registry.rollbackReservation(again.device.id);
      expect((await registry.listConsents())[0]?.usedAt).toBe(NOW);
    });

    test('can be used until they are withdrawn', async () => {
      const fingerprint = newFingerprint();
      const consentId = await consentTo(registry, await active(registry, { fingerprint }));
      const withdraw = () => registry.withdrawConsent(consentId, NOW, audit());
      expect([await withdraw(), await withdraw()]).toEqual([true, false]);
      expect(refusal((await reserve(registry, { fingerprint })).result)).toBe('fingerprint-known');
    });
  });
}
