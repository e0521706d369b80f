import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { digest } from '../../../src/core/bytes.ts';
import type { Registry, RenewedCertificate } from '../../../src/slice/registry/registry.ts';
import { active, audit, NOW, register } from './material.ts';
import type { RegistryUnderTest } from './registry-contract.ts';

const DAY = 86_400_000;

/** What every registry promises about renewals (`Registry`). */
export function describeRenewals(name: string, makeRegistry: () => Promise<RegistryUnderTest>): void {
  describe(`renewals in ${name}`, () => {
    let made: RegistryUnderTest;
    let registry: Registry;
    let deviceId: string;
    beforeEach(async () => {
      made = await makeRegistry();
      ({ registry } = made);
      await register(registry);
      ({ id: deviceId } = await active(registry));
    });
    afterEach(() => made.remove());

    const renewed = (held: number, more: Partial<RenewedCertificate> = {}): RenewedCertificate => {
      const serial = randomUUID().replaceAll('-', '');
      const now = more.now ?? NOW + held;
      return {
        ...{ deviceId, held, at: now, now, graceMs: DAY, requestHash: digest(serial) },
        certificate: { serial, notAfter: now + DAY, der: `certificate ${serial}` },
        ...more,
      };
    };
    const store = (renewal: RenewedCertificate) =>
      registry.storeRenewal(renewal, audit('device.renewals', { deviceId }));
    const alarm = () => audit('device.renewals', { deviceId, decision: 'alarm', code: 'device-copied' });

    test('are counted from the certificate of the enrollment, and only the last one is kept', async () => {
      expect(await registry.findRenewal(deviceId)).toEqual({
        ...{ issued: 1, acknowledged: 1, requestedAt: 0, copiedAt: null, notAfter: NOW + 1e9, last: null },
      });
      const [first, second] = [renewed(1), renewed(2)];
      expect(await store(first)).toEqual({ number: 2 });
      expect(await store(second)).toEqual({ number: 3 });
      expect(await made.open().findRenewal(deviceId)).toMatchObject({
        ...{ issued: 3, acknowledged: 2, requestedAt: second.at },
        last: { requestHash: second.requestHash, certificate: second.certificate.der },
      });
      expect(await registry.findCertificate(first.certificate.serial)).toMatchObject({ kind: 'device', deviceId });
    });

    test('forget certificates that have expired, so that a device never has many', async () => {
      const serials: string[] = [];
      for (let number = 1; number < 30; number++) {
        const next = renewed(number, { now: NOW + number * (DAY / 2) });
        expect(await store(next)).toEqual({ number: number + 1 });
        serials.push(next.certificate.serial);
      }
      const kept = await Promise.all(serials.map((serial) => registry.findCertificate(serial)));
      expect(kept.filter((certificate) => certificate !== undefined)).toHaveLength(2);
      expect(await registry.findRenewal(deviceId)).toMatchObject({ notAfter: NOW + 29 * (DAY / 2) + DAY });
    });

    test('that are refused change nothing', async () => {
      await store(renewed(1));
      await store(renewed(2));
      const before = await registry.findRenewal(deviceId);
      const refused = renewed(1, { now: NOW + 10 });
      expect(await store(refused)).toMatchObject({ refused: 'device-copied', discovered: true });
      expect(await registry.findRenewal(deviceId)).toEqual(before);
      expect(await registry.findCertificate(refused.certificate.serial)).toBeUndefined();
      expect(await store(renewed(1, { deviceId: randomUUID() }))).toMatchObject({ refused: 'device-unknown' });
    });

    test('stop when it is copied, with one alarm, until it is released', async () => {
      expect(await registry.releaseDevice(deviceId, NOW, audit('device.release'))).toBe(false);
      await registry.markCopied(deviceId, NOW, alarm());
      await registry.markCopied(deviceId, NOW + 1, alarm());
      expect(await registry.listAlarms()).toHaveLength(1);
      expect(await registry.findRenewal(deviceId)).toMatchObject({ copiedAt: NOW });
      expect(await store(renewed(1))).toMatchObject({ refused: 'device-copied' });
      expect(await registry.releaseDevice(deviceId, NOW, audit('device.release', { deviceId }))).toBe(true);
      expect(await registry.findRenewal(deviceId)).toMatchObject({ copiedAt: null, acknowledged: null });
      expect((await registry.listAudit(1))[0]).toMatchObject({ action: 'device.release' });
      expect(await store(renewed(1))).toEqual({ number: 2 });
    });

    test('end with the device, which leaves the last certificate to be revoked and no answer', async () => {
      const last = renewed(1);
      await store(last);
      await registry.endDevice(deviceId, 'lost', NOW + 5, audit('device.end'));
      expect(await store(renewed(2))).toMatchObject({ refused: 'device-ended' });
      expect(await registry.findRenewal(deviceId)).toMatchObject({ issued: 1, last: null });
      const wanted = (await registry.revocationsWanted(10)).map(({ serial }) => serial);
      expect(wanted).toContain(last.certificate.serial);
    });
  });
}
