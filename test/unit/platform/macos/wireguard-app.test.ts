import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, createPrivateKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { MacCertificateStore } from '../../../../platform/macos/certificate-store.ts';
import { PATHS } from '../../../../platform/macos/paths.ts';
import { readPlist, renderPlist } from '../../../../platform/macos/plist.ts';
import { renderAppProfile } from '../../../../platform/macos/tunnel/render-app-profile.ts';
import { WireguardApp } from '../../../../platform/macos/tunnel/wireguard-app.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { TunnelConfig } from '../../../../src/laptop/system/tunnel.ts';
import { renderWgQuick } from '../../../../src/laptop/tunnel/render-wg-quick.ts';
import { runProgram } from '../../../../src/programs/run-program.ts';
import { makeDeviceCertificate } from '../linux/test-certificates.ts';
import { FakeMac } from './fake-mac.ts';
import { keyFaults, PROFILE } from './payload-keys.ts';

const FOLDER = `${PATHS.program}/run/kiwi-acme`;
const FILE = `${FOLDER}/kiwi-acme.mobileconfig`;
const IDENTIFIER = 'io.kiwistack.profile.kiwi-acme';
const config: TunnelConfig = {
  ...{ slug: 'acme', privateKey: new SecretBytes(Buffer.alloc(32, 1)), address: '10.77.1.30' },
  ...{ endpoints: [], serverPublicKey: Buffer.alloc(32, 2).toString('base64'), keepaliveSeconds: 25 },
  ...{ presharedKey: Buffer.alloc(32, 3).toString('base64'), allowedCidrs: ['10.77.1.0/24', '10.78.0.0/16'] },
  dns: { servers: ['10.77.1.1'], domains: ['corp.example'] },
};
/** What our daemon keeps. */
const KEPT = renderWgQuick(config, { endpoint: '192.0.2.1:51820', resolvectl: undefined });
const NOBODY = { certificate: '/c', key: '/k', intermediate: { pem: '' } };
const NAMES = ['vpn.acme.example:51820', '198.51.100.1:51820'];
let mac: FakeMac;
let app: WireguardApp;

const resolve = (host: string): Promise<string[]> =>
  Promise.resolve(host === 'vpn.acme.example' ? ['192.0.2.1'] : ['198.51.100.9']);
const atScreen = async (uid: string): Promise<void> => {
  await mac.write('/dev/console', '');
  execFileSync('/bin/chown', [uid, path.join(mac.root, '/dev/console')]);
};

beforeEach(async () => {
  mac = await FakeMac.make();
  app = new WireguardApp(mac, resolve);
  await mac.write(`${PATHS.tunnel}/kiwi-acme.conf`, KEPT, 0o600);
});
afterEach(() => mac.destroy());

it('renders a profile of keys that Apple publishes', () => {
  const profile = readPlist(renderAppProfile('kiwi-acme', 'acme', KEPT));
  expect(keyFaults(profile, PROFILE)).toEqual([]);
  // The checker can fail.
  expect(keyFaults({ ...(profile as object), PayloadVersion: '1', Extra: 1 }, PROFILE)).toEqual([
    'Extra: unknown',
    'PayloadVersion: not of type integer',
  ]);
});

it('holds a configuration that WireGuard.app takes: no word that it does not know, no DNS, no default route', () => {
  const profile = readPlist(renderAppProfile('kiwi-acme', 'acme', KEPT)) as {
    PayloadContent: [{ VendorConfig: { WgQuickConfig: string }; VPN: { RemoteAddress: string } }];
  };
  const [{ VendorConfig, VPN }] = profile.PayloadContent;
  const words = [...VendorConfig.WgQuickConfig.matchAll(/^(\w+) = /gmu)].map(([, word]) => word);
  expect(words).toEqual([
    ...['PrivateKey', 'Address', 'MTU', 'PublicKey', 'PresharedKey', 'Endpoint', 'AllowedIPs', 'PersistentKeepalive'],
  ]);
  expect(VPN.RemoteAddress).toBe('192.0.2.1');
  const everything = KEPT.replace('10.78.0.0/16', '0.0.0.0/0');
  expect(() => renderAppProfile('kiwi-acme', 'acme', everything)).toThrow(TypeError);
});

it('is signed by the device, as the real OpenSSL verifies, and shown to the person at the screen alone', async () => {
  const store = new MacCertificateStore(mac);
  await store.createDeviceKey('acme');
  const certificate = await makeDeviceCertificate(
    createPrivateKey((await mac.read(`${PATHS.certificates}/acme.key`)) ?? ''),
  );
  await store.install('acme', certificate);
  await mac.write('/usr/bin/openssl', '', 0o755);
  // The program itself, which is in the same place on a Mac.
  const real = mac.run;
  const system = {
    ...{ root: mac.root, clock: mac.clock, programFolders: mac.programFolders, runtimeFolder: mac.runtimeFolder },
    run: (request: Parameters<typeof real>[0]) =>
      request.program === '/usr/bin/openssl' ? runProgram(request) : real(request),
  };
  await mac.write('/Applications/WireGuard.app/Contents/Info.plist', '');
  const offered = new WireguardApp(system, resolve);
  const signer = { ...store.paths('acme'), intermediate: certificate.intermediate };
  await expect(offered.offer('acme', NAMES, signer)).rejects.toMatchObject({
    ...{ code: 'not-authorised', detail: 'nobody is at the screen to approve it' },
  });
  await atScreen('1501');
  // Who is no administrator could not approve it, and must not get the key.
  mac.groups = '20 12 61';
  await expect(offered.offer('acme', NAMES, signer)).rejects.toMatchObject({ code: 'not-authorised' });
  expect(await mac.names(FOLDER)).toEqual([]);
  mac.groups = '20 12 61 79 80 81';
  expect(await offered.look('acme')).toEqual({ daemon: 'none', app: false, appThere: true, offeredAt: undefined });
  await offered.offer('acme', NAMES, signer);
  expect((await offered.look('acme')).offeredAt).toBeGreaterThan(0);
  expect(await mac.mode(FILE)).toBe(0o600);
  expect(mac.ran).toContain(`launchctl asuser 1501 /usr/bin/sudo -n -u #1501 -- /usr/bin/open ${FILE}`);
  expect(mac.ran).toContain('id -G 1501');

  const roots = path.join(mac.root, 'roots.pem');
  await writeFile(roots, certificate.roots.map(({ pem }) => pem).join(''));
  const verify = [
    ...['cms', '-verify', '-inform', 'DER', '-in', path.join(mac.root, FILE), '-CAfile', roots, '-purpose', 'any'],
  ];
  const text = execFileSync('/usr/bin/openssl', verify, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  // With the name that leads to the address in use, so that the app follows a slice that moves.
  const named = KEPT.replace('192.0.2.1:51820', 'vpn.acme.example:51820');
  expect(text).toBe(renderAppProfile('kiwi-acme', 'acme', named));
  const foreign = path.join(mac.root, 'foreign.pem');
  await writeFile(
    foreign,
    (await makeDeviceCertificate(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)).roots[0]?.pem ?? '',
  );
  expect(() =>
    execFileSync(
      '/usr/bin/openssl',
      verify.map((word) => (word === roots ? foreign : word)),
      { stdio: 'ignore' },
    ),
  ).toThrow();
});

it('tells offered from approved, and is removed from both', async () => {
  expect(await app.look('acme')).toMatchObject({ app: false, appThere: false });
  await expect(app.offer('acme', NAMES, NOBODY)).rejects.toMatchObject({ code: 'tool-missing' });
  await mac.write(FILE, 'signed');
  expect((await app.look('acme')).offeredAt).toBeDefined();
  mac.profiles.add(IDENTIFIER).add('com.example.wifi');
  expect((await app.look('acme')).app).toBe(true);
  await app.withdraw('acme');
  expect(await mac.names(FOLDER)).toEqual([]);
  expect((await app.look('acme')).app).toBe(true);
  await app.remove('acme');
  await app.remove('acme');
  expect(await app.look('acme')).toMatchObject({ app: false, offeredAt: undefined });
  expect(mac.ran.filter((line) => line.startsWith('profiles remove'))).toEqual([
    `profiles remove -identifier ${IDENTIFIER}`,
  ]);
  expect([...mac.profiles]).toEqual(['com.example.wifi']);
});

it('says what a person has to do where macOS keeps the profile', async () => {
  mac.profiles.add(IDENTIFIER);
  mac.removesProfiles = false;
  await expect(app.remove('acme')).rejects.toMatchObject({ code: 'tunnel-app-stays' });
});

it('takes no silence of macOS for a profile that is not there, where the app is', async () => {
  mac.programs['profiles'] = () => ({ code: 1, stderr: 'profiles: internal error' });
  expect((await app.look('acme')).app).toBe(false);
  await mac.write('/Applications/WireGuard.app/Contents/Info.plist', '');
  await expect(app.look('acme')).rejects.toMatchObject({ code: 'tunnel-tools-failed' });
  mac.programs['profiles'] = () => `${IDENTIFIER} and no property list`;
  await expect(app.look('acme')).rejects.toMatchObject({ code: 'tunnel-tools-failed' });
  // Whatever it says where there are none.
  mac.programs['profiles'] = () => 'There are no configuration profiles installed in the system domain\n';
  expect((await app.look('acme')).app).toBe(false);
  mac.programs['profiles'] = () => renderPlist({ anna: [{ ProfileIdentifier: IDENTIFIER }] });
  expect((await app.look('acme')).app).toBe(true);
});
