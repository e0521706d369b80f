import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { EncryptedVolume } from '../../../src/protocol/disk-escrow.ts';
import type { Registry } from '../../../src/slice/registry/registry.ts';
import { active, audit, NOW, register } from './material.ts';
import type { RegistryUnderTest } from './registry-contract.ts';

/** What every registry promises about the recovery keys of disks (`Registry`). */
export function describeRecoveryKeys(name: string, makeRegistry: () => Promise<RegistryUnderTest>): void {
  describe(`recovery keys in ${name}`, () => {
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

    const volume: EncryptedVolume = { kind: 'luks2', uuid: '6f4b1d0a-2c3e-4a5b-8c7d-9e0f1a2b3c4d', slot: 1 };
    const store = (generation: number, escrow = [`a.b.c.d.${generation}`], more: object = {}, at = registry) =>
      at.storeRecoveryKey(
        { deviceId, generation, volume, escrow, receivedAt: NOW + generation, ...more },
        3,
        audit('device.recovery-keys', { deviceId }),
      );
    const generations = async (of?: string): Promise<number[]> =>
      (await registry.listRecoveryKeys(of)).map((one) => one.generation);
    const audited = async (action: string): Promise<number> =>
      (await registry.listAudit(100)).filter((one) => one.action === action).length;

    test('are kept as they came, and seen by another process', async () => {
      expect(await store(1, ['a.b.c.d.e', 'f..g.h.i'])).toBe('stored');
      const other = made.open();
      expect(await other.listRecoveryKeys(deviceId)).toEqual([
        { deviceId, generation: 1, volume, escrow: ['a.b.c.d.e', 'f..g.h.i'], receivedAt: NOW + 1, usedAt: null },
      ]);
      other.close();
    });

    test('are stored and audited once, however often and from wherever they are sent', async () => {
      const other = made.open();
      const results = await Promise.all([registry, other, registry, other].map((at) => store(1, undefined, {}, at)));
      expect(results.sort()).toEqual(['known', 'known', 'known', 'stored']);
      expect([await generations(), await audited('device.recovery-keys')]).toEqual([[1], 1]);
      other.close();
    });

    test('are not replaced by an earlier one, nor by another of the same number', async () => {
      await store(5);
      const otherVolume = { volume: { ...volume, slot: 2 } };
      expect([await store(4), await store(5, ['x.x.x.x.x']), await store(5, undefined, otherVolume)]).toEqual(
        Array.from({ length: 3 }, () => 'older'),
      );
      expect([await generations(), await audited('device.recovery-keys')]).toEqual([[5], 1]);
      expect(await store(9)).toBe('stored');
    });

    test('give way to the newest three of their device, and not to those of others', async () => {
      const { id: another } = await active(registry);
      await store(1, undefined, { deviceId: another });
      for (const generation of [1, 2, 3, 4, 5]) await store(generation);
      expect([await generations(deviceId), await generations(another)]).toEqual([[5, 4, 3], [1]]);
      expect(await registry.listRecoveryKeys()).toHaveLength(4);
    });

    test('are marked as used with the audit, and the first time counts', async () => {
      await store(1);
      const used = (generation: number, now: number): Promise<boolean> =>
        registry.markRecoveryKeyUsed(deviceId, generation, now, audit('recovery-key.show', { deviceId }));
      expect([await used(2, NOW), await used(1, NOW + 10), await used(1, NOW + 20)]).toEqual([false, true, true]);
      expect((await registry.listRecoveryKeys(deviceId))[0]?.usedAt).toBe(NOW + 10);
      expect(await audited('recovery-key.show')).toBe(2);
      await store(2);
      expect((await registry.listRecoveryKeys(deviceId)).map(({ usedAt }) => usedAt)).toEqual([null, NOW + 10]);
    });

    test('stay when the device has ended: its disk may have to be read', async () => {
      await store(1);
      await registry.endDevice(deviceId, 'offboarded', NOW, audit('device.end'));
      expect(await generations(deviceId)).toEqual([1]);
    });
  });
}
