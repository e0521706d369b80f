import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { digest } from '../../../src/core/bytes.ts';
import type { Registry } from '../../../src/slice/registry/registry.ts';
import { active, audit, NOW, register } from './material.ts';
import type { RegistryUnderTest } from './registry-contract.ts';

/** What every registry promises about the support bundles of laptops (`Registry`). */
export function describeBundles(name: string, makeRegistry: () => Promise<RegistryUnderTest>): void {
  describe(`support bundles in ${name}`, () => {
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

    const store = (text: string, { at = registry, now = NOW, of = deviceId } = {}) =>
      at.storeBundle(
        { deviceId: of, manifestHash: digest(text), text },
        3,
        now,
        audit('device.bundles', { deviceId: of }),
      );
    const texts = async (): Promise<(string | undefined)[]> =>
      Promise.all((await registry.listBundles()).map(async ({ id }) => (await registry.findBundle(id))?.text));
    const audited = async (): Promise<number> =>
      (await registry.listAudit(100)).filter(({ action }) => action === 'device.bundles').length;

    test('are kept as they came, with their size in bytes, and seen by another process', async () => {
      expect(await store('ä bundle')).toBe('stored');
      const other = made.open();
      const [listed] = await other.listBundles();
      expect(listed).toMatchObject({ deviceId, receivedAt: NOW, bytes: 9 });
      expect(await other.findBundle(listed?.id ?? 0)).toEqual({ ...listed, text: 'ä bundle' });
      other.close();
    });

    test('are stored and audited once, however often and from wherever they are sent', async () => {
      const other = made.open();
      const results = await Promise.all([registry, other, registry, other].map((at) => store('a', { at })));
      expect(results.sort()).toEqual(['known', 'known', 'known', 'stored']);
      expect([await texts(), await audited()]).toEqual([['a'], 1]);
      other.close();
    });

    test('give way to newer ones of their device, and not to those of others', async () => {
      const { id: another } = await active(registry);
      await store('of another', { of: another });
      const other = made.open();
      for (const [index, text] of ['a', 'b', 'c', 'd', 'e'].entries()) {
        await store(text, { now: NOW + index, at: index % 2 === 0 ? registry : other });
      }
      expect(await texts()).toEqual(['e', 'd', 'c', 'of another']);
      other.close();
    });

    test('are removed by a number that is not given again', async () => {
      await store('a');
      const id = (await registry.listBundles())[0]?.id ?? 0;
      expect(await registry.removeBundle(id, NOW, audit('bundle.remove', { deviceId }))).toBe(true);
      expect((await registry.listAudit(1))[0]).toMatchObject({ action: 'bundle.remove', deviceId });
      expect(await registry.removeBundle(id, NOW, audit('bundle.remove'))).toBe(false);
      expect((await registry.listAudit(9)).filter(({ action }) => action === 'bundle.remove')).toHaveLength(1);
      expect(await registry.findBundle(id)).toBeUndefined();
      expect(await store('a')).toBe('stored');
      expect((await registry.listBundles())[0]?.id).toBeGreaterThan(id);
    });

    test('are forgotten when their time is over, also those of a device that has ended', async () => {
      await store('old', { now: NOW - 1 });
      await store('new');
      await registry.endDevice(deviceId, 'lost', NOW, audit('device.end'));
      expect(await texts()).toEqual(['new', 'old']);
      expect([await registry.forgetBundles(NOW), await registry.forgetBundles(NOW)]).toEqual([1, 0]);
      expect(await texts()).toEqual(['new']);
    });

    test('of one hash belong to each device that sent them', async () => {
      expect([await store('a'), await store('a', { of: randomUUID() })]).toEqual(['stored', 'stored']);
    });
  });
}
