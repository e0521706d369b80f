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

    test('that a certificate was written to a file, until a laptop is enrolled with the key', async () => {
      const state = async () => {
        const key = await registry().findYubikey(YUBIKEY);
        return [key?.certified, key?.written];
      };
      expect(await state()).toEqual([true, false]);
      await registry().replaceIntermediate(NOW, audit());
      expect(await state()).toEqual([false, false]);
      const known = (await registry().listYubikeys())[0] ?? { serial: 0, spki: '' };
      const certificate = { serial: 'ee', notAfter: NOW + 1, writtenAt: NOW };
      expect(await registry().certifyYubikey(known, certificate, NOW, audit())).toBe('certified');
      expect(await state()).toEqual([true, true]);
      await active(registry());
      expect(await state()).toEqual([true, false]);
      // Into a key that is in hand.
      await registry().replaceIntermediate(NOW, audit());
      await registry().certifyYubikey(known, { serial: 'ff', notAfter: NOW + 1 }, NOW, audit());
      expect(await state()).toEqual([true, false]);
    });

    test("another certificate of an operator's key, and of nobody who was removed", async () => {
      const anna = { name: 'anna', role: 'admin', kid: 'k', yubikeySerial: 7, slot: '9c', certificate: 'one' } as const;
      await registry().addOperator(
        { ...anna, addedAt: NOW, addedBy: 'x' },
        { serial: 'a1', notAfter: NOW + 1 },
        audit(),
      );
      const next = { serial: 'a2', notAfter: NOW + 2 };
      expect(await registry().certifyOperator({ kid: 'k', certificate: 'two' }, next, NOW, audit('again'))).toBe(true);
      expect(await registry().findOperator('k')).toMatchObject({ ...anna, certificate: 'two', addedAt: NOW });
      expect(await registry().findCertificate('a2')).toMatchObject({ kind: 'operator', yubikeySerial: 7 });
      expect((await registry().listAudit(1))[0]?.action).toBe('again');
      await registry().removeOperator('k', 'left', NOW, audit());
      const wanted = (await registry().revocationsWanted(9)).map(({ serial }) => serial);
      expect(wanted.sort()).toEqual(['a1', 'a2']);
      const more = { serial: 'a3', notAfter: NOW };
      expect(await registry().certifyOperator({ kid: 'k', certificate: 'three' }, more, NOW, audit())).toBe(false);
      expect(await registry().findCertificate('a3')).toBeUndefined();
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
    expect(await registry().lastAudit('device.hardware')).toMatchObject({ ...alarm, at: NOW });
    expect(await registry().lastAudit('never')).toBeUndefined();
    // Of two that have seen the same, one records what follows from it.
    const follow = (why: string | undefined, now: string): Promise<boolean> =>
      registry().auditAfter({ action: 'seen', why }, [audit('more'), audit('seen', { why: now })], NOW);
    expect(await Promise.all([follow(undefined, 'one'), follow(undefined, 'other')])).toEqual([true, false]);
    expect([await follow('other', 'next'), await follow('one', 'next')]).toEqual([false, true]);
    expect((await registry().listAudit(4)).map(({ action }) => action)).toEqual(['seen', 'more', 'seen', 'more']);
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

  test('keeps an alarm about the intermediate, which is of no device, until it is acknowledged', async () => {
    await registry().audit(audit('enrollment.clock', { decision: 'alarm', code: 'clock-skew' }), NOW);
    await registry().replaceIntermediate(NOW, audit('intermediate.replace', { decision: 'alarm', why: 'alone' }));
    const [alarm, ...more] = await registry().listAlarms();
    expect([alarm?.why, more]).toEqual(['alone', []]);
    expect(await registry().acknowledgeAlarm(alarm?.id ?? 0, NOW, audit('looked'))).toBe(true);
    expect(await registry().acknowledgeAlarm(alarm?.id ?? 0, NOW, audit('looked'))).toBe(false);
    expect(await registry().listAlarms()).toEqual([]);
    expect((await registry().listAudit(1))[0]).not.toHaveProperty('deviceId');
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
