import { createPrivateKey } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { MacCertificateStore } from '../../../../platform/macos/certificate-store.ts';
import { PATHS } from '../../../../platform/macos/paths.ts';
import type { DeviceCertificate } from '../../../../src/laptop/system/certificate-store.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { DEVICE_ID, makeDeviceCertificate, makeTestRoot } from '../linux/test-certificates.ts';
import { FakeMac } from './fake-mac.ts';

const KEY = `${PATHS.certificates}/acme.key`;
let mac: FakeMac;
let store: MacCertificateStore;

beforeEach(async () => {
  mac = await FakeMac.make();
  store = new MacCertificateStore(mac);
});
afterEach(() => mac.destroy());

async function certificateFor(name: string): Promise<DeviceCertificate> {
  await store.createDeviceKey(name);
  return makeDeviceCertificate(createPrivateKey((await mac.read(KEY)) ?? ''));
}

it('keeps the device key in a file for root alone, and finds it again', async () => {
  const key = await store.createDeviceKey('acme');
  expect((await store.createDeviceKey('acme')).publicKey.equals(key.publicKey)).toBe(true);
  expect(await mac.mode(KEY)).toBe(0o600);
  expect(await mac.mode(PATHS.certificates)).toBe(0o700);
});

it('puts the identity into the System keychain, not to be exported, and removes it all', async () => {
  const certificate = await certificateFor('acme');
  await store.install('acme', certificate);
  expect(await store.verify('acme', certificate)).toBe(true);
  expect(mac.keychain.map(({ subject }) => subject.cn)).toEqual(['Acme Intermediate', 'anna-laptop']);
  const [imported] = mac.ran.filter((line) => line.startsWith('security import'));
  expect(imported).toMatch(/ -t priv -f openssl -x -T \S+/u);
  // What it was given is the device key, in a file that is gone.
  expect(createPrivateKey(mac.keys[0] ?? '').equals(createPrivateKey((await mac.read(KEY)) ?? ''))).toBe(true);
  expect(await mac.names(PATHS.run)).toEqual([]);
  expect(mac.ran.join('\n')).not.toContain('PRIVATE KEY');
  expect((await store.found()).find(({ device }) => device !== undefined)?.device?.deviceId).toBe(DEVICE_ID);
  await store.remove('acme');
  await store.remove('acme');
  expect(mac.keychain).toEqual([]);
  expect(mac.keys).toEqual([]);
  expect(await store.found()).toEqual([]);
  expect(await store.loadDeviceKey('acme')).toBeUndefined();
});

it('leaves only the newest certificate of a key, and what is not ours', async () => {
  const other = await makeTestRoot('Somebody else');
  mac.keychain.push(other.certificate);
  const first = await certificateFor('acme');
  await store.install('acme', first);
  const second = await certificateFor('acme');
  await store.install('acme', second);
  expect(mac.keychain.filter(({ subject }) => subject.cn === 'anna-laptop')).toHaveLength(1);
  expect(await store.verify('acme', first)).toBe(false);
  expect(await store.verify('acme', second)).toBe(true);
  await store.remove(undefined);
  expect(mac.keychain.map(({ subject }) => subject.cn)).toContain('Somebody else');
  expect(mac.keychain.map(({ subject }) => subject.cn)).not.toContain('anna-laptop');
});

it('installs the certificate where the keychain does not take the key', async () => {
  const certificate = await certificateFor('acme');
  const own = mac.run;
  const refusing = new MacCertificateStore({
    root: mac.root,
    clock: mac.clock,
    programFolders: mac.programFolders,
    runtimeFolder: mac.runtimeFolder,
    run: (request) =>
      request.args[0] === 'import'
        ? Promise.resolve({
            code: 1,
            signal: null,
            stdout: Buffer.of(),
            stderr: Buffer.from('Unknown format in import.'),
          })
        : own(request),
  });
  await refusing.install('acme', certificate);
  expect(await refusing.verify('acme', certificate)).toBe(true);
  await refusing.remove('acme');
  expect(mac.keychain).toEqual([]);
});

it('is not verified once the certificate is gone from the keychain', async () => {
  const certificate = await certificateFor('acme');
  await store.install('acme', certificate);
  mac.keychain.length = 0;
  expect(await store.verify('acme', certificate)).toBe(false);
});

it('refuses a certificate for another key, and keys of a TPM', async () => {
  await store.createDeviceKey('acme');
  const other = await makeDeviceCertificate(generateP256());
  await expect(store.install('acme', other)).rejects.toMatchObject({ code: 'grant-invalid' });
  await expect(store.keepTpmKey()).rejects.toMatchObject({ code: 'tpm-missing' });
});
