import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Registry } from '../../../src/slice/registry/registry.ts';
import { describeKeysAndAudit } from './keys-and-audit-contract.ts';
import {
  active,
  audit,
  consentTo,
  LIMITS,
  newFingerprint,
  newRequest,
  newSession,
  NOW,
  refusal,
  register,
  reserve,
  reserved,
  storeGrant,
  YUBIKEY,
} from './material.ts';

/** An empty registry and the way to it from another process. */
export interface RegistryUnderTest {
  readonly registry: Registry;
  /** The same registry, as another process has it open. */
  open(): Registry;
  remove(): Promise<void>;
}

/** What every registry promises, whatever database is behind it (`Registry`). */
export function describeRegistry(name: string, makeRegistry: () => Promise<RegistryUnderTest>): void {
  describe(`a registry in ${name}`, () => {
    let made: RegistryUnderTest;
    let registry: Registry;
    beforeEach(async () => {
      made = await makeRegistry();
      ({ registry } = made);
      await register(registry);
    });
    afterEach(() => made.remove());

    describe('keeps sessions', () => {
      const limits = { total: 3, few: 1, perRemote: 2, perNetwork: 3 };
      const add = async (remote: string, createdAt = NOW): Promise<string> => {
        const session = newSession({ remote, createdAt, expiresAt: createdAt + 1000 });
        return refusal(await registry.addSession(session, limits, undefined));
      };

      test('so many that are open, of one address, of one network and in all, until they are over', async () => {
        const [a, b, c, d, e] = ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.0.2.1', '10.0.3.1'] as const;
        expect([await add(a), await add(a), await add(a)]).toEqual(['none', 'none', 'too-many-requests']);
        // Another address of that network, then others, which still get a few.
        expect([await add(b), await add(b)]).toEqual(['none', 'too-many-requests']);
        expect([await add(c), await add(c)]).toEqual(['none', 'too-many-requests']);
        expect([await add(d), await add(e), await add('10.0.4.1')]).toEqual(['none', 'none', 'too-many-requests']);
        expect(await add(a, NOW + 1000)).toBe('none');
      });

      test('and those in which a claim waits for an operator do not count', async () => {
        for (let n = 0; n < 5; n++) {
          const session = newSession({ createdAt: NOW + n * 1000, expiresAt: NOW + 9000 });
          expect(refusal(await registry.addSession(session, limits, undefined))).toBe('none');
          const { id, deviceKeyThumbprint, remote, code, createdAt } = session;
          const claim = {
            sessionId: id,
            tokenId: 'token',
            hostName: 'ada',
            deviceKeyThumbprint,
            remote,
            code,
            createdAt,
          };
          await registry.holdClaim(claim, NOW + 9000, audit());
        }
      });

      test('one of an attempt: the first', async () => {
        const first = newSession();
        for (const id of [first.id, randomUUID(), randomUUID()]) {
          expect(await registry.addSession({ ...first, id }, limits, audit())).toMatchObject({ id: first.id });
        }
        expect(await registry.listSessions(NOW)).toHaveLength(1);
        expect(await registry.listAudit(10)).toHaveLength(2);
      });

      test('until their laptop gives them up, unless they were used', async () => {
        const session = newSession();
        await registry.addSession(session, limits, undefined);
        expect([await registry.dropSession(session.id), await registry.dropSession(session.id)]).toEqual([true, false]);
        expect(await registry.listSessions(NOW)).toEqual([]);
        expect(refusal(await registry.addSession(session, limits, undefined))).toBe('none');
      });

      test('as they were given, until they are forgotten: first the key, minutes later all of it', async () => {
        const session = newSession({ expiresAt: NOW + 1000 });
        await registry.addSession(session, limits, undefined);
        const { challenge: _, ...known } = session;
        expect(await registry.findSession(session.id)).toEqual(known);
        await registry.forgetSessions(NOW + 1000);
        expect(await registry.findSession(session.id)).toEqual({ ...known, privateKey: null });
        await registry.forgetSessions(NOW + 1000 + 5 * 60_000);
        expect(await registry.findSession(session.id)).toBeUndefined();
      });
    });

    describe('reserves', () => {
      test('a device that is read back as it was returned, and its outcome', async () => {
        const { session, request, device } = await reserved(registry);
        expect(device).toMatchObject({ id: request.deviceId, state: 'reserved', address: '0.0.0.11' });
        expect(await registry.findDevice(device.id)).toEqual(device);
        expect(await registry.findFingerprint(device.id)).toEqual(request.fingerprint);
        expect(await registry.findOutcome(session.attemptId)).toEqual({
          attemptId: session.attemptId,
          sessionId: session.id,
          statementHash: request.statementHash,
          deviceId: device.id,
          state: 'in-progress',
          grant: null,
        });
        expect(await registry.findLivePeer(request.wireguardPublicKey)).toMatchObject({ address: '0.0.0.11' });
        expect((await registry.livePeers()).map(({ id }) => id)).toEqual([device.id]);
      });

      test('nothing for a session or a key that is not good', async () => {
        expect(refusal(await registry.reserve(newRequest(randomUUID())))).toBe('session-unknown');
        const { session } = await reserved(registry);
        expect(refusal(await registry.reserve(newRequest(session.id)))).toBe('session-used');
        expect(refusal((await reserve(registry, { now: NOW + 300_000 })).result)).toBe('session-expired');
        expect(refusal((await reserve(registry, { yubikeySerial: 5 })).result)).toBe('yubikey-unregistered');
        await registry.burnYubikey(YUBIKEY, 'lost', NOW, audit());
        expect(refusal((await reserve(registry)).result)).toBe('yubikey-burned');
      });

      test('one of two at once for one session, one fingerprint or one attempt', async () => {
        const other = made.open();
        const both = async (first: Promise<object>, second: Promise<object>): Promise<string[]> =>
          (await Promise.all([first, second])).map(refusal).sort();
        const session = newSession();
        await registry.addSession(session, LIMITS, undefined);
        const of = newRequest(session.id);
        expect(await both(registry.reserve(of), other.reserve({ ...of, deviceId: randomUUID() }))).toEqual([
          'none',
          'session-used',
        ]);
        const fingerprint = newFingerprint();
        const results = await Promise.all([reserve(registry, { fingerprint }), reserve(other, { fingerprint })]);
        expect(results.map(({ result }) => refusal(result)).sort()).toEqual(['fingerprint-known', 'none']);
        other.close();
      });

      test('each address and host name once, however many ask; the quota counts what lives', async () => {
        const other = made.open();
        const network = { first: 1, last: 5, reserved: [2] };
        const hostName = 'anna-laptop';
        const ask = (at: Registry) => reserve(at, { network, hostName, quota: 5 });
        const results = await Promise.all([registry, other, registry, other, registry, other].map(ask));
        const devices = results.flatMap(({ result }) => ('refused' in result ? [] : [result]));
        expect(devices.map(({ address }) => address).sort()).toEqual(['0.0.0.1', '0.0.0.3', '0.0.0.4', '0.0.0.5']);
        expect(new Set(devices.map((device) => device.hostName)).size).toBe(4);
        expect(results.map(({ result }) => refusal(result)).filter((code) => code === 'quota-exceeded')).toHaveLength(
          2,
        );
        expect(refusal((await reserve(registry, { quota: 4 })).result)).toBe('quota-exceeded');
        const [freed] = devices;
        await registry.endDevice(freed?.id ?? '', 'offboarded', NOW, audit());
        expect((await reserved(registry, { network, quota: 4 })).device.address).toBe(freed?.address);
        other.close();
      });

      test('the next address behind the last one given, so that a released one rests', async () => {
        const first = await reserved(registry);
        await registry.endDevice(first.device.id, 'offboarded', NOW, audit());
        expect([first.device.address, (await reserved(registry)).device.address]).toEqual(['0.0.0.11', '0.0.0.12']);
      });

      test('and undoes it as if it had not been', async () => {
        const { session, request, device } = await reserved(registry);
        expect(await registry.abandonedReservations(NOW)).toEqual([]);
        expect(await registry.abandonedReservations(session.expiresAt)).toEqual([device]);
        await registry.rollbackReservation(device.id);
        expect(await registry.findDevice(device.id)).toBeUndefined();
        expect(await registry.findOutcome(session.attemptId)).toBeUndefined();
        expect(refusal(await registry.reserve({ ...request, quota: 1 }))).toBe('none');
        await storeGrant(registry, device);
        await registry.rollbackReservation(device.id);
        expect((await registry.findDevice(device.id))?.state).toBe('pending');
      });
    });

    describe('stores a grant', () => {
      test('with its certificate; the same bytes are found again, until it is confirmed', async () => {
        const { session, device } = await reserved(registry);
        expect(await storeGrant(registry, device)).toBe('stored');
        const outcome = await registry.findOutcome(session.attemptId);
        expect(outcome).toMatchObject({ state: 'granted', grant: `grant of ${device.id}` });
        expect((await registry.findSession(session.id))?.privateKey).toBeNull();
        expect(await registry.findCertificate(device.id)).toMatchObject({ kind: 'device', deviceId: device.id });
        expect((await registry.listSessions(NOW)).map(({ id }) => id)).toEqual([session.id]);
        const confirm = () => registry.confirm(device.id, NOW, audit());
        expect([await confirm(), await confirm()]).toEqual(['active', 'active']);
        expect(await registry.findOutcome(session.attemptId)).toMatchObject({ state: 'closed', grant: null });
        // An enrollment that is done is no open session.
        expect(await registry.listSessions(NOW)).toEqual([]);
        expect(await registry.findDevice(device.id)).toMatchObject({ state: 'active' });
      });

      test('for none whose key was burned since the reservation', async () => {
        const { device } = await reserved(registry);
        const other = made.open();
        await other.burnYubikey(YUBIKEY, 'lost', NOW, audit());
        other.close();
        expect(await storeGrant(registry, device)).toEqual({ refused: 'yubikey-burned' });
        expect(await registry.findDevice(device.id)).toMatchObject({ state: 'ended', endReason: 'yubikey-burned' });
      });

      test('and ends the device whose place it takes, unless that one was confirmed meanwhile', async () => {
        const fingerprint = newFingerprint();
        const first = await reserved(registry, { fingerprint });
        await storeGrant(registry, first.device);
        const second = await reserved(registry, { fingerprint });
        expect(second.device.supersedes).toBe(first.device.id);
        expect(await storeGrant(registry, second.device)).toBe('stored');
        expect(await registry.findDevice(first.device.id)).toMatchObject({ state: 'ended', endReason: 'superseded' });
        const third = await reserved(registry, { fingerprint });
        await registry.confirm(second.device.id, NOW, audit());
        expect(await storeGrant(registry, third.device)).toMatchObject({ refused: 'fingerprint-known' });
      });
    });

    test('confirms nothing that is unknown, too late, ended, or whose key is burned', async () => {
      const confirm = (id: string, now = NOW) => registry.confirm(id, now, audit());
      const late = await reserved(registry);
      await storeGrant(registry, late.device, NOW + 1000);
      expect(await registry.unconfirmedDevices(NOW + 999)).toEqual([]);
      expect((await registry.unconfirmedDevices(NOW + 1000)).map(({ id }) => id)).toEqual([late.device.id]);
      const burned = await reserved(registry);
      await storeGrant(registry, burned.device);
      expect([await confirm(randomUUID()), await confirm(late.device.id, NOW + 1000)]).toEqual(['ended', 'ended']);
      await registry.endDevice(late.device.id, 'unconfirmed', NOW + 1000, audit());
      await registry.burnYubikey(YUBIKEY, 'lost', NOW, audit());
      expect(await confirm(burned.device.id)).toBe('yubikey-burned');
      // Also one that had ended before its key was reported lost: the person is told the cause that matters.
      expect(await confirm(late.device.id)).toBe('yubikey-burned');
    });

    describe('ends a device', () => {
      test('once: what it held is free, its certificate is to be revoked, its secrets are gone', async () => {
        const device = await active(registry, { hostName: 'anna-laptop' });
        const end = () => registry.endDevice(device.id, 'offboarded', NOW, audit('device.end'));
        expect([await end(), await end()]).toEqual(['ended', 'unchanged']);
        expect(await registry.findDevice(device.id)).toMatchObject({ presharedKey: '', endReason: 'offboarded' });
        expect(await registry.livePeers()).toEqual([]);
        expect(await registry.findLivePeer(device.wireguardPublicKey)).toBeUndefined();
        expect((await registry.revocationsWanted(10)).map(({ serial }) => serial)).toEqual([device.id]);
        expect((await reserved(registry, { hostName: 'anna-laptop', quota: 1 })).device.hostName).toBe('anna-laptop');
      });

      test('and remembers what is to be done, by whichever process, and that its laptop was told', async () => {
        const [lost, gone] = [await active(registry), await active(registry)];
        await registry.endDevice(lost.id, 'lost', NOW, audit());
        await registry.endDevice(gone.id, 'offboarded', NOW + 1, audit());
        const duties = async (kind: 'peer' | 'fleet-host') => (await registry.listDuties(kind, 9)).map(({ id }) => id);
        expect([await duties('peer'), await duties('fleet-host')]).toEqual([[lost.id, gone.id], [gone.id]]);
        await registry.markDone(lost.id, 'peer');
        expect(await duties('peer')).toEqual([gone.id]);
        await registry.markTold(gone.id, NOW + 5);
        await registry.markTold(gone.id, NOW + 6);
        expect((await registry.findDevice(gone.id))?.toldAt).toBe(NOW + 5);
      });

      test('and knows which accounts in the directory are to be removed, or only lose their key', async () => {
        const [lost, gone, live] = [await active(registry), await active(registry), await active(registry)];
        for (const { id } of [lost, gone, live, gone]) await registry.noteAccount(id, NOW);
        const ended = async () => (await registry.listEndedAccounts(9)).map(({ deviceId }) => deviceId).toSorted();
        expect(await ended()).toEqual([]);
        await registry.endDevice(lost.id, 'lost', NOW, audit());
        await registry.endDevice(gone.id, 'offboarded', NOW, audit());
        expect(await ended()).toEqual([lost.id, gone.id].toSorted());
        await registry.noteKeyRetired(lost.id);
        await registry.forgetAccount(gone.id);
        expect(await ended()).toEqual([]);
        await registry.endDevice(lost.id, 'churn', NOW, audit());
        expect(await ended()).toEqual([lost.id]);
      });

      test('as lost, but knows its laptop until it ends for good or is enrolled again with a consent', async () => {
        const fingerprint = newFingerprint();
        const lost = await active(registry, { fingerprint });
        const end = (reason: 'lost' | 'uninstalled' | 'offboarded') =>
          registry.endDevice(lost.id, reason, NOW + 1, audit());
        const again = () => reserve(registry, { fingerprint });
        expect(await end('lost')).toBe('ended');
        // Its peer stays, restricted, and its address is given to nobody else.
        const { address, presharedKey, wireguardPublicKey } = lost;
        const peer = { id: lost.id, address, presharedKey, wireguardPublicKey, restricted: true };
        expect([await registry.livePeers(), await registry.findLivePeer(wireguardPublicKey)]).toEqual([[peer], peer]);
        const network = { first: 11, last: 11, reserved: [] };
        expect(refusal((await reserve(registry, { network })).result)).toBe('quota-exceeded');
        expect(refusal((await again()).result)).toBe('fingerprint-known');
        expect([await end('lost'), await end('uninstalled')]).toEqual(['unchanged', 'unchanged']);
        expect(refusal((await again()).result)).toBe('fingerprint-known');
        await consentTo(registry, lost);
        const found = await reserved(registry, { fingerprint });
        await storeGrant(registry, found.device);
        expect(await registry.findDevice(lost.id)).toMatchObject({ endReason: 'superseded', presharedKey: '' });
        await registry.endDevice(found.device.id, 'lost', NOW, audit());
        await registry.markTold(found.device.id, NOW);
        await registry.endDevice(found.device.id, 'offboarded', NOW + 2, audit());
        expect(await registry.findDevice(found.device.id)).toMatchObject({ endReason: 'offboarded', toldAt: null });
        expect((await registry.listDuties('fleet-host', 9)).map(({ id }) => id)).toEqual([lost.id, found.device.id]);
        expect(refusal((await again()).result)).toBe('none');
      });

      test('and finds a live one on the same hardware, or with the same names in Fleet', async () => {
        const host = {
          name: 'x',
          os: 'linux',
          osVersion: 'x',
          arch: 'x64',
          uuid: randomUUID(),
          serial: 'PF3',
        } as const;
        const device = await active(registry, { host });
        const found = () => registry.findLiveTwin({ uuid: host.uuid.toUpperCase(), serial: undefined });
        expect(await found()).toEqual({ id: device.id });
        expect(await registry.findLiveTwin({ uuid: undefined, serial: 'pf3' })).toEqual({ id: device.id });
        expect(await registry.findLiveDeviceOn(device.fingerprintDigest)).toMatchObject({ id: device.id });
        await registry.endDevice(device.id, 'lost', NOW, audit());
        expect(await found()).toBeUndefined();
        expect(await registry.findLiveDeviceOn(device.fingerprintDigest)).toBeUndefined();
      });
    });

    describeKeysAndAudit(() => registry);

    test('is the same for whoever opens it again, and can be tidied and closed at any time', async () => {
      const device = await active(registry);
      await registry.tidy();
      registry.close();
      registry.close();
      const again = made.open();
      expect((await again.findDevice(device.id))?.state).toBe('active');
      again.close();
    });
  });
}
