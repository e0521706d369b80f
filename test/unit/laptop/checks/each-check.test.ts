import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { CHECKS } from '../../../../src/laptop/checks/checks.ts';
import { examine } from '../../../../src/laptop/doctor/examine.ts';
import { FarewellFile } from '../../../../src/laptop/state/farewell.ts';
import { RecordFile } from '../../../../src/laptop/state/record.ts';
import type { SignInStatus } from '../../../../src/laptop/system/sign-in.ts';
import type { TunnelKeepers } from '../../../../src/laptop/system/tunnel-app.ts';
import type { Inspector, UnitFacts } from '../../../../src/laptop/system/inspector.ts';
import { recipientOf } from '../../../../src/pki/escrow-jwe.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { DISK_ESCROW, type DiskEscrow } from '../../../../src/protocol/disk-escrow.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { NOW } from '../../pki/test-authority.ts';
import { hangUp } from '../gateway-client/local-gateway.ts';
import { answerSigned, makeSlice } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
  laptop.gateway.answer(answerSigned(laptop.slice));
});
afterEach(async () => {
  await laptop.end();
});

const sees = (different: Partial<Inspector>) => (): void => void Object.assign(laptop.different, different);
const says = (content: object) => (): void => {
  laptop.gateway.answer(answerSigned(laptop.slice, { content }));
};
const ESCROW: DiskEscrow = { recipients: [recipientOf(generateP256())], laptops: 'oem', held: null };
const FLEET = { reachable: true, known: true, online: true, green: false, orbitVersion: '1.48.0', osqueryVersion: '' };
const DISK = { writable: true, freeBytes: 50e9, freeInodes: 1_000_000 };
/** A laptop on which the person can choose the WireGuard app. */
const keepers = (change: Partial<TunnelKeepers>) => (): void => {
  const found: TunnelKeepers = { daemon: 'whole', app: false, appThere: true, offeredAt: undefined, ...change };
  Object.assign(laptop.context.platform.tunnelApp, { look: () => Promise.resolve(found) });
};
const disk = (change: Partial<typeof DISK>) => sees({ disk: () => Promise.resolve({ ...DISK, ...change }) });
const unit = (name: string, change: Partial<UnitFacts>) =>
  sees({
    units: (names) =>
      Promise.resolve(
        names.map((each) => ({
          ...{ known: true, active: 'active', enabled: 'enabled', result: 'success', restarts: 0 },
          ...(each === name ? change : {}),
        })),
      ),
  });
const peer = (change: object) => async (): Promise<void> => {
  const found = await laptop.different.peer?.('kiwi-acme');
  laptop.different.peer = () => Promise.resolve(found === undefined ? undefined : { ...found, ...change });
};
const linked = (domains: readonly string[], takesOthers: boolean, servers: readonly string[] = ['10.77.1.30']) =>
  sees({ resolver: () => Promise.resolve([{ interface: 'kiwi-acme', servers, domains, takesOthers }]) });
const store = (browser: 'Firefox' | 'Chromium') =>
  sees({ browserStores: () => Promise.resolve([{ browser, packaging: 'snap', file: 'cert9.db', trusts: false }]) });

/** What signs people in, with the certificate that is there now. */
const signIn = (change: Partial<SignInStatus>) => (): void => {
  const whole = { revision: 'r', lacks: [], running: true, backendSince: laptop.now, certificate: 'acme.crt' };
  laptop.signIn = { ...whole, ...change };
};

/** How each check comes to be not well, and what it says then. */
const BROKEN: Readonly<Record<string, readonly [how: () => unknown, error: string]>> = {
  record: [() => writeFile(path.join(laptop.stateFolder, 'enrollment.json'), 'rubbish'), 'state-damaged'],
  'enrollment-complete': [
    () => new RecordFile(laptop.stateFolder).save({ ...laptop.record, state: 'enrolling' }),
    'enrollment-unhealthy',
  ],
  'not-half-removed': [() => laptop.beginUndo(), 'enrollment-incomplete'],
  'clock-set': [() => (laptop.now = Date.UTC(1970, 0, 1)), 'clock-unset'],
  'clock-synchronised': [sees({ clockSynchronised: () => Promise.resolve(false) }), 'clock-unsynchronised'],
  'disk-writable': [disk({ writable: false }), 'read-only-file-system'],
  'disk-space': [disk({ freeBytes: 5e6 }), 'disk-full'],
  'disk-inodes': [disk({ freeInodes: 3 }), 'disk-full'],
  programs: [sees({ missingPrograms: () => Promise.resolve(['wg (package wireguard-tools)']) }), 'tool-missing'],
  wireguard: [sees({ wireguard: () => Promise.resolve('none') }), 'tool-missing'],
  package: [
    sees({ package: () => Promise.resolve({ version: '0.1.0', altered: ['/usr/bin/kiwistack-enroll'] }) }),
    'package-altered',
  ],
  version: [sees({ package: () => Promise.resolve({ version: '0.0.9', altered: [] }) }), 'package-altered'],
  'device-key': [() => (laptop.key = undefined), 'state-damaged'],
  'device-key-private': [
    sees({ file: () => Promise.resolve({ kind: 'file', mode: 0o640, uid: 0, modifiedAt: 0 }) }),
    'file-permissions',
  ],
  'certificate-present': [() => (laptop.key = undefined), 'enrollment-unhealthy'],
  'certificate-begun': [() => (laptop.now -= 3_600_000), 'clock-unset'],
  certificate: [() => laptop.expire(), 'device-certificate-expired'],
  'device-key-certificate': [() => (laptop.key = generateP256()), 'device-key-mismatch'],
  'pinned-roots': [() => Object.assign(laptop.context, { roots: [] }), 'pinned-roots-missing'],
  'certificate-chain': [
    async () => Object.assign(laptop.context, { roots: [(await makeSlice()).root.certificate] }),
    'certificate-untrusted',
  ],
  'certificate-usable': [
    () => (laptop.systemFault = new KiwiError('certificate-keyless', { detail: 'CNG has no such key' })),
    'certificate-keyless',
  ],
  'certificate-renewal': [() => (laptop.now += 20 * 3_600_000), 'renewal-stalled'],
  'renewal-number': [
    () => {
      const certificate = { number: 7, renewAfter: new Date(laptop.now - 86_400_000).toISOString() };
      const { device } = laptop.record;
      return new RecordFile(laptop.stateFolder).save({
        ...laptop.record,
        device: device && { ...device, certificate },
      });
    },
    'renewal-stalled',
  ],
  'check-timer': [unit('check.timer', { active: 'inactive' }), 'unit-not-running'],
  watcher: [unit('watch.path', { active: 'inactive' }), 'unit-not-running'],
  'agent-socket': [unit('agent.socket', { enabled: 'disabled' }), 'unit-not-running'],
  'check-service': [unit('check.service', { result: 'timeout' }), 'renewal-stalled'],
  'tunnel-up': [() => (laptop.tunnel.up = false), 'enrollment-unhealthy'],
  'tunnel-at-boot': [() => (laptop.tunnel.startsAtBoot = false), 'enrollment-unhealthy'],
  'tunnel-keeper': [keepers({ offeredAt: NOW.getTime() - 60_000 }), 'tunnel-app-waiting'],
  'tunnel-peer': [peer({ allowedNetworks: ['10.77.1.0/24', '0.0.0.0/0'] }), 'tunnel-altered'],
  'tunnel-keepalive': [peer({ keepaliveSeconds: undefined }), 'tunnel-altered'],
  'tunnel-key': [peer({ publicKey: 'another' }), 'tunnel-altered'],
  networks: [
    () => laptop.localNetworks.push({ kind: 'route', interface: 'wlan0', network: '10.77.1.0/24' }),
    'network-overlap',
  ],
  routes: [sees({ interfaceFor: () => Promise.resolve('tun0') }), 'route-missing'],
  'routes-public': [sees({ interfaceFor: () => Promise.resolve('kiwi-acme') }), 'tunnel-altered'],
  'tunnel-handshake': [
    () => Object.assign(laptop.tunnel, { lastHandshake: laptop.now - 400_000 }),
    'tunnel-no-handshake',
  ],
  udp: [
    () => {
      Object.assign(laptop.tunnel, { lastHandshake: undefined });
      laptop.sliceEndpoint = undefined;
    },
    'udp-blocked',
  ],
  'tunnel-endpoint': [() => (laptop.sliceEndpoint = '203.0.113.11:51820'), 'tunnel-endpoint-moved'],
  'tunnel-inside': [() => (laptop.sliceEndpoint = undefined), 'tunnel-no-handshake'],
  'packet-size': [() => (laptop.pathMtu = 1340), 'tunnel-packet-size'],
  'dns-gateway': [
    async () => {
      sees({ resolve: () => Promise.resolve([]) })();
      await new RecordFile(laptop.stateFolder).save({ ...laptop.record, gatewayUrl: 'https://enroll.acme.example' });
    },
    'name-unresolved',
  ],
  'dns-split': [linked([], false, []), 'split-dns-missing'],
  'dns-public': [linked(['~corp.example', '~.'], false), 'split-dns-missing'],
  'dns-domains': [
    sees({
      resolver: () =>
        Promise.resolve(
          ['kiwi-acme', 'tun0'].map((name) => ({
            ...{ interface: name, servers: ['10.0.0.1'], domains: ['~corp.example'], takesOthers: false },
          })),
        ),
    }),
    'split-dns-missing',
  ],
  'dns-inside': [sees({ resolve: () => Promise.resolve([]) }), 'name-unresolved'],
  'trust-system': [() => laptop.removed.push('roots'), 'trust-missing'],
  'trust-source': [() => (laptop.rootFiles = false), 'trust-missing'],
  'trust-firefox': [store('Firefox'), 'browser-untrusting'],
  'trust-chromium': [store('Chromium'), 'browser-untrusting'],
  proxy: [
    () => new RecordFile(laptop.stateFolder).save({ ...laptop.record, proxy: 'ftp://proxy.example' }),
    'proxy-invalid',
  ],
  'slice-answers': [() => laptop.gateway.answer(hangUp), 'gateway-unreachable'],
  'slice-active': [says({ state: 'ended', endReason: 'lost', fleet: null }), 'device-ended'],
  'clock-slice': [() => (laptop.now += 180_000), 'clock-skew'],
  hardware: [says({ hardware: 'changed' }), 'hardware-changed'],
  'hardware-copied': [says({ hardware: 'seen-elsewhere' }), 'hardware-changed'],
  'disk-recovery-key': [
    () => {
      says({ extensions: { [DISK_ESCROW]: { critical: false, value: ESCROW } } })();
      laptop.context.platform.disk.factoryKey = () => Promise.resolve({ file: 'factory.key', volumeKey: 'own' });
    },
    'disk-not-secured',
  ],
  'agent-running': [() => (laptop.agent.running = false), 'agent-not-running'],
  'agent-settings': [() => (laptop.agent.configuredByUs = false), 'enrollment-incomplete'],
  'agent-at-boot': [unit('orbit.service', { enabled: 'disabled' }), 'agent-not-running'],
  'agent-steady': [unit('orbit.service', { restarts: 12 }), 'agent-not-running'],
  'agent-enrolled': [() => (laptop.agent.orbitEnrolled = false), 'fleet-refused'],
  'agent-secret': [() => (laptop.agent.secretForgotten = false), 'leftovers-found'],
  'fleet-osquery': [says({ fleet: FLEET }), 'fleet-half-enrolled'],
  'fleet-online': [says({ fleet: FLEET }), 'fleet-not-green'],
  'agent-log': [
    () => {
      says({ fleet: FLEET })();
      laptop.agent.log = 'enroll failed: x509: certificate signed by unknown authority';
    },
    'fleet-half-enrolled',
  ],
  'sign-in': [signIn({ lacks: ['/etc/sssd/sssd.conf'] }), 'sign-in-failed'],
  'sign-in-certificate': [
    () => {
      signIn({})();
      sees({ file: () => Promise.resolve({ kind: 'file', mode: 0o600, uid: 0, modifiedAt: laptop.now + 1 }) })();
    },
    'sign-in-failed',
  ],
  'files-of-ours': [() => laptop.removed.push('tunnel'), 'enrollment-incomplete'],
  'file-permissions': [
    sees({ file: () => Promise.resolve({ kind: 'file', mode: 0o600, uid: 1000, modifiedAt: 0 }) }),
    'file-permissions',
  ],
  deregistration: [
    () =>
      new FarewellFile(laptop.stateFolder).keep({
        ...{ slug: 'other', customer: 'Other AG', gatewayUrl: laptop.gateway.url, leave: 'jws' },
        ...{ deviceId: laptop.record.attemptId, signedAt: new Date(laptop.now).toISOString() },
        ...{ intermediate: 'pem', roots: ['pem'] },
      }),
    'deregistration-pending',
  ],
  'run-lock': [
    sees({ file: () => Promise.resolve({ kind: 'file', mode: 0o600, uid: 0, modifiedAt: 0 }) }),
    'already-running',
  ],
  leftovers: [
    sees({ names: () => Promise.resolve(['.enrollment.json.0123456789ab.tmp', 'enrollment.json']) }),
    'leftovers-found',
  ],
};

describe('each check', () => {
  it('stands in the table below', () => {
    const codes = CHECKS.map(({ code }) => code);
    expect(Object.keys(BROKEN).toSorted()).toEqual(codes.toSorted());
    expect(codes.length).toBeGreaterThanOrEqual(40);
  });

  it('is well on a healthy laptop', async () => {
    const { outcomes } = await examine(laptop.context);
    expect(outcomes.filter(({ state }) => state !== 'well').map(({ code, saw }) => `${code}: ${saw}`)).toEqual([]);
  });

  it('of the disk looks at each file system once', async () => {
    const of = (fileSystems: readonly string[]) => {
      let next = 0;
      sees({ disk: () => Promise.resolve({ ...DISK, fileSystem: fileSystems[next++ % fileSystems.length] ?? '' }) })();
      return examine(laptop.context, ['disk-writable']).then(({ outcomes }) => outcomes.at(-1)?.saw);
    };
    expect(await of(['a', 'a'])).toBe('/');
    expect(await of(['a', 'b'])).toBe('/, /var');
  });

  it.each(Object.entries(BROKEN))('%s is not well when it is not so', async (code, [how, expected]) => {
    await how();
    const { outcomes } = await examine(laptop.context, [code]);
    const found = outcomes.find((outcome) => outcome.code === code);
    expect([found?.state, found?.error?.code], found?.saw).toEqual(['not-well', expected]);
    expect(found?.saw).not.toBe('');
  });

  it('of a laptop that was reported lost says so, whom to ask, and blames no network', async () => {
    laptop.sliceEndpoint = undefined;
    Object.assign(laptop.tunnel, { lastHandshake: undefined });
    says({ state: 'ended', endReason: 'lost', fleet: null })();
    const { outcomes } = await examine(laptop.context, ['certificate', 'tunnel-handshake', 'udp', 'tunnel-inside']);
    const of = (code: string) => outcomes.find((outcome) => outcome.code === code);
    expect(of('certificate')).toMatchObject({ state: 'not-well', error: { code: 'device-ended', detail: 'lost' } });
    expect(of('certificate')?.error?.hint).toMatch(/reported this laptop lost.*ask your operator to consent/u);
    for (const code of ['tunnel-handshake', 'udp', 'tunnel-inside']) {
      expect(of(code)).toMatchObject({
        state: 'not-known',
        saw: 'the slice has ended this laptop, and its tunnel with it',
      });
    }
    expect(outcomes.map(({ error }) => error?.code)).not.toContain('udp-blocked');
    expect(outcomes.map(({ error }) => error?.code)).not.toContain('tunnel-no-handshake');
  });

  it.each([
    [{ daemon: 'whole' }, 'well', undefined],
    [{ daemon: 'none', app: true }, 'well', undefined],
    [{ daemon: 'whole', app: true }, 'not-well', 'settle-tunnel'],
    [{ daemon: 'half', app: true }, 'not-well', 'settle-tunnel'],
    [{ daemon: 'half' }, 'not-well', 'settle-tunnel'],
    [{ daemon: 'none' }, 'not-well', 'settle-tunnel'],
    [{ daemon: 'none', app: true, offeredAt: 1 }, 'not-well', 'settle-tunnel'],
    [{ daemon: 'whole', offeredAt: NOW.getTime() - 3_600_001 }, 'not-well', 'settle-tunnel'],
    [{ daemon: 'whole', offeredAt: NOW.getTime() - 3_599_000 }, 'not-well', undefined],
  ] as const)('of who keeps the tunnel, %j, is %s', async (change, state, fix) => {
    keepers(change)();
    const { outcomes } = await examine(laptop.context, ['tunnel-keeper']);
    expect([outcomes.at(-1)?.state, outcomes.at(-1)?.fix]).toEqual([state, fix]);
  });

  it('of a tunnel that the app keeps says what it cannot know, and finds no fault in it', async () => {
    keepers({ daemon: 'none', app: true })();
    Object.assign(laptop.tunnel, { keptByApp: true, lastHandshake: undefined, endpoint: undefined });
    Object.assign(laptop.context.platform.tunnel, { probe: () => Promise.resolve(true) });
    laptop.different.peer = () => Promise.resolve(undefined);
    const { outcomes } = await examine(laptop.context);
    const notWell = outcomes.filter(({ state }) => state === 'not-well' || state === 'not-looked-at');
    expect(notWell.map(({ code, saw }) => `${code}: ${saw}`)).toEqual([]);
    const known = outcomes.filter(({ state }) => state === 'not-known').map(({ code }) => code);
    expect(known).toEqual(['tunnel-peer', 'tunnel-keepalive', 'tunnel-key', 'routes-public', 'tunnel-handshake']);
  });

  it('of a device key in a TPM has it sign once, for the question to the slice, and again only where no answer came', async () => {
    let signed = 0;
    const { certificates } = laptop.context.platform;
    const load = certificates.loadDeviceKey.bind(certificates);
    certificates.loadDeviceKey = async (slug) => {
      const key = await load(slug);
      if (key === undefined) return undefined;
      const sign = (data: Uint8Array) => (signed++, key.sign(data));
      return { ...key, kind: 'tpm', sign };
    };
    const seen = async () => {
      signed = 0;
      const { outcomes } = await examine(laptop.context);
      return [outcomes.find(({ code }) => code === 'device-key')?.state, signed];
    };
    expect(await seen()).toEqual(['well', 1]);
    laptop.gateway.answer(hangUp);
    expect(await seen()).toEqual(['well', expect.any(Number)]);
    expect(signed).toBeGreaterThan(1);
  });

  it('of a device key in a TPM uses it, and says what the TPM answered', async () => {
    laptop.tpmSays = new KiwiError('tpm-key-gone', { detail: 'openssl -sign: 0x000001df' });
    const { outcomes } = await examine(laptop.context);
    const of = (code: string) => outcomes.find((outcome) => outcome.code === code);
    expect(of('device-key')).toMatchObject({ state: 'not-well', error: { code: 'tpm-key-gone' } });
    // What follows from it is not counted as another fault.
    expect(of('slice-answers')).toMatchObject({ state: 'not-looked-at', because: ['device-key'] });
  });
});
