import { describe, expect, test } from 'vitest';

import type { Registry } from '../../../src/slice/registry/registry.ts';
import { active, audit, NOW, register, reserved, storeGrant, YUBIKEY } from './material.ts';

/** What every registry promises about YubiKeys, certificates and the audit; part of `describeRegistry`. */
export function describeKeysAndAudit(registry: () => Registry): void {
  describe('keeps keys and certificates', () => {
    test('a key once, until it is burned and provisioned anew', async () => {
      expect(await register(registry())).toBe('exists');
      expect(await registry().burnYubikey(5, 'lost', NOW, audit())).toBe('unknown');
      expect(await registry().burnYubikey(YUBIKEY, 'lost', NOW, audit())).toBe('burned');
      expect(await registry().findYubikey(YUBIKEY)).toMatchObject({ burnedAt: NOW, burnedWhy: 'lost' });
      expect((await registry().revocationsWanted(9)).map(({ kind }) => kind)).toEqual(['enrollment']);
      expect(await register(registry())).toBe('burned');
      expect(await registry().findYubikey(YUBIKEY)).toMatchObject({ burnedAt: NOW, burnedWhy: 'lost' });
      expect(await register(registry(), YUBIKEY, { reinstate: true })).toBe('registered');
      expect((await registry().listYubikeys()).map(({ burnedAt }) => burnedAt)).toEqual([null]);
      const [entry] = await registry().listAudit(1);
      expect(entry).toMatchObject({ action: 'yubikey.register', why: `; burned ${new Date(NOW).toISOString()}: lost` });
    });

    test('a burned key ends what it began, and leaves what was confirmed', async () => {
      const confirmed = await active(registry());
      const [begun, granted] = [await reserved(registry()), await reserved(registry())];
      await storeGrant(registry(), granted.device);
      await registry().burnYubikey(YUBIKEY, 'lost', NOW, audit());
      const states = (await registry().listDevices()).map(({ id, state }) => [id, state]);
      expect(Object.fromEntries(states)).toEqual({
        [confirmed.id]: 'active',
        [begun.device.id]: 'ended',
        [granted.device.id]: 'ended',
      });
    });

    test('a certificate that nobody got, or that was replaced, is wanted for revocation until it is revoked', async () => {
      await registry().addUnusedCertificate({ serial: 'aa', notAfter: NOW + 1, deviceId: 'd' });
      const enrolled = await active(registry());
      await registry().wantRevocation(enrolled.id, 'replaced');
      await registry().wantRevocation(enrolled.id, 'again');
      expect(await registry().findCertificate(enrolled.id)).toMatchObject({ revokeWhy: 'replaced', revokedAt: null });
      expect(await registry().revocationsWanted(1)).toHaveLength(1);
      await registry().markRevoked('aa', NOW);
      expect((await registry().revocationsWanted(9)).map(({ serial }) => serial)).toEqual([enrolled.id]);
    });
  });

  test('keeps the audit and finds alarms in it, the newest first', async () => {
    const alarm = audit('device.hardware', {
      decision: 'alarm',
      code: 'hardware-changed',
      deviceId: 'd',
      why: 'on x',
    });
    await registry().audit(alarm, NOW);
    await registry().auditRefusal(audit('later', { decision: 'refused' }), NOW + 1);
    expect((await registry().listAudit(2)).map(({ action, at }) => [action, at])).toEqual([
      ['later', NOW + 1],
      ['device.hardware', NOW],
    ]);
    expect(await registry().listAlarms()).toEqual([expect.objectContaining({ ...alarm, at: NOW })]);
    const found = [await registry().findAlarm('d', 'device.hardware'), await registry().findAlarm('d', 'other')];
    const naming = [
      await registry().findAlarm('d', 'device.hardware', 'x'),
      await registry().findAlarm('d', 'device.hardware', 'y'),
    ];
    expect([found, naming]).toEqual([
      [true, false],
      [true, false],
    ]);
  });

  test('keeps a few alarms of a device until they are acknowledged, and those of others in any case', async () => {
    const alarm = (deviceId: string, why: string, action = 'device.hardware') => ({
      ...audit(action, { decision: 'alarm', why }),
      deviceId,
    });
    const raise = async (n: number, deviceId = 'd'): Promise<boolean> =>
      registry().raiseAlarm(alarm(deviceId, `on ${n}`), NOW + n);
    expect(await raise(0, 'real')).toBe(true);
    const raised: boolean[] = [];
    for (let n = 1; n <= 1001; n++) raised.push(await raise(n));
    expect(raised.filter(Boolean)).toHaveLength(5);
    expect(await registry().raiseAlarm(alarm('d', 'another kind', 'fingerprint.clone'), NOW)).toBe(true);
    const open = await registry().listAlarms();
    expect(open.map(({ deviceId }) => deviceId)).toEqual(['d', 'd', 'd', 'd', 'd', 'd', 'real']);
    const first = open.find(({ why }) => why === 'on 1')?.id ?? 0;
    const acknowledge = (id: number) => registry().acknowledgeAlarm(id, NOW, audit('alarm.acknowledge'));
    expect([await acknowledge(first), await acknowledge(first), await acknowledge(0)]).toEqual([true, false, false]);
    expect(await registry().listAlarms()).toHaveLength(6);
    expect((await registry().listAudit(1))[0]).toMatchObject({ action: 'alarm.acknowledge', deviceId: 'd' });
    // It stays in the audit, and is not raised again for the same machine.
    expect(await registry().findAlarm('d', 'device.hardware', 'on 1')).toBe(true);
    expect(await raise(2000)).toBe(true);
  });
}
