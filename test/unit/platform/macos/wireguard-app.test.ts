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
import { runProgram } from '../../../../src/programs/run-program.ts';
import { makeDeviceCertificate } from '../linux/test-certificates.ts';
import { FakeMac } from './fake-mac.ts';
import { keyFaults, PROFILE } from './payload-keys.ts';

const FOLDER = `${PATHS.program}/run/kiwi-acme`;
const FILE = `${FOLDER}/kiwi-acme.mobileconfig`;
const config: TunnelConfig = {
  ...{ slug: 'acme', privateKey: new SecretBytes(Buffer.alloc(32, 1)), address: '10.77.1.30' },
  ...{ endpoints: [], serverPublicKey: Buffer.alloc(32, 2).toString('base64'), keepaliveSeconds: 25 },
  ...{ presharedKey: Buffer.alloc(32, 3).toString('base64'), allowedCidrs: ['10.77.1.0/24', '10.78.0.0/16'] },
  dns: { servers: ['10.77.1.1'], domains: ['corp.example'] },
};
const ENDPOINT = '192.0.2.1:51820';
const NOBODY = { certificate: '/c', key: '/k', intermediate: { pem: '' } };
let mac: FakeMac;
let app: WireguardApp;

beforeEach(async () => {
  mac = await FakeMac.make();
  app = new WireguardApp(mac);
  mac.programs['profiles'] = () => renderPlist({});
});
afterEach(() => mac.destroy());

it('renders a profile of keys that Apple publishes', () => {
  const profile = readPlist(renderAppProfile('kiwi-acme', config, ENDPOINT));
  expect(keyFaults(profile, PROFILE)).toEqual([]);
  // The checker can fail.
  expect(keyFaults({ ...(profile as object), PayloadVersion: '1', Extra: 1 }, PROFILE)).toEqual([
    'Extra: unknown',
    'PayloadVersion: not of type integer',
  ]);
});

it('holds a configuration that WireGuard.app takes: no word that it does not know, no DNS, no default route', () => {
  const profile = readPlist(renderAppProfile('kiwi-acme', config, ENDPOINT)) as {
    PayloadContent: [{ VendorConfig: { WgQuickConfig: string }; VPN: { RemoteAddress: string } }];
  };
  const [{ VendorConfig, VPN }] = profile.PayloadContent;
  const words = [...VendorConfig.WgQuickConfig.matchAll(/^(\w+) = /gmu)].map(([, word]) => word);
  expect(words).toEqual([
    ...['PrivateKey', 'Address', 'MTU', 'PublicKey', 'PresharedKey', 'Endpoint', 'AllowedIPs', 'PersistentKeepalive'],
  ]);
  expect(VPN.RemoteAddress).toBe('192.0.2.1');
  expect(() => renderAppProfile('kiwi-acme', { ...config, allowedCidrs: ['0.0.0.0/0'] }, ENDPOINT)).toThrow(TypeError);
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
  const offered = new WireguardApp(system);
  const paths = { ...store.paths('acme'), intermediate: certificate.intermediate };
  await expect(offered.offer(config, ENDPOINT, paths)).rejects.toMatchObject({
    detail: 'nobody is at the screen to approve it',
  });
  await mac.write('/dev/console', '');
  execFileSync('/bin/chown', ['1501', path.join(mac.root, '/dev/console')]);
  expect(await offered.state('acme')).toBe('not offered');
  await offered.offer(config, ENDPOINT, paths);
  expect(await offered.state('acme')).toBe('waiting');
  expect(await mac.mode(FILE)).toBe(0o600);
  expect(mac.ran).toContain(`launchctl asuser 1501 /usr/bin/sudo -n -u #1501 -- /usr/bin/open ${FILE}`);
  expect(await mac.read(`${PATHS.resolver}/corp.example`)).toContain('nameserver 10.77.1.1');

  const roots = path.join(mac.root, 'roots.pem');
  await writeFile(roots, certificate.roots.map(({ pem }) => pem).join(''));
  const verify = [
    'cms',
    '-verify',
    '-inform',
    'DER',
    '-in',
    path.join(mac.root, FILE),
    '-CAfile',
    roots,
    '-purpose',
    'any',
  ];
  const text = execFileSync('/usr/bin/openssl', verify, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  expect(text).toBe(renderAppProfile('kiwi-acme', config, ENDPOINT));
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

it('tells waiting from approved, and is removed from both', async () => {
  expect(await app.state('acme')).toBe('no app');
  await expect(app.offer(config, ENDPOINT, NOBODY)).rejects.toMatchObject({
    code: 'tool-missing',
  });
  await mac.write(FILE, 'signed');
  expect(await app.state('acme')).toBe('waiting');
  let approved = true;
  mac.programs['profiles'] = ([verb]) => {
    if (verb === 'remove') approved = false;
    return renderPlist({ _computerlevel: approved ? [{ ProfileIdentifier: 'io.kiwistack.profile.kiwi-acme' }] : [] });
  };
  expect(await app.state('acme')).toBe('approved');
  await app.withdraw('acme');
  expect(await mac.names(FOLDER)).toEqual([]);
  await app.remove('acme');
  expect(await app.state('acme')).toBe('no app');
  expect(mac.ran).toContain('profiles remove -identifier io.kiwistack.profile.kiwi-acme');
});

it('says what a person has to do where macOS keeps the profile', async () => {
  mac.programs['profiles'] = () => renderPlist({ anna: [{ ProfileIdentifier: 'io.kiwistack.profile.kiwi-acme' }] });
  await expect(app.remove('acme')).rejects.toMatchObject({ code: 'tunnel-tools-failed' });
});
