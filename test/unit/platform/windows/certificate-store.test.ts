import { afterEach, beforeEach, expect, it } from 'vitest';

import { WindowsCertificateStore } from '../../../../platform/windows/certificate-store.ts';
import { at } from '../../../../platform/windows/system.ts';
import { sha256 } from '../../../../src/core/bytes.ts';
import type { DeviceCertificate } from '../../../../src/laptop/system/certificate-store.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { DEVICE_ID, makeDeviceCertificate } from '../linux/test-certificates.ts';
import { certificateFor as certificateOf } from './device-certificates.ts';
import { FakeWindows } from './fake-windows.ts';

const KEY = 'ProgramData/KiwiStack/Certificates/acme.key';
let machine: FakeWindows;
let store: WindowsCertificateStore;

beforeEach(async () => {
  machine = await FakeWindows.make();
  store = new WindowsCertificateStore(machine);
});
afterEach(() => machine.destroy());

const certificateFor = (name: string): Promise<DeviceCertificate> => certificateOf(machine, store, name);

it('keeps the device key sealed, in a folder that others cannot open, and finds it again', async () => {
  const key = await store.createDeviceKey('acme');
  const again = await store.createDeviceKey('acme');
  expect(again.publicKey.equals(key.publicKey)).toBe(true);
  expect(await machine.read(KEY)).toMatch(/^# Written by kiwistack-enroll; .*\n[A-Za-z0-9+/=]+\n$/u);
  expect(await machine.read(KEY)).not.toContain('PRIVATE KEY');
  expect(machine.rights.get(at(machine, 'ProgramData/KiwiStack/Certificates'))).toBe(
    'O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)',
  );
  // The key is what the helper is given, never what it is told.
  expect(machine.ran.filter((line) => line.includes('seal'))[0]).toBe(
    'kiwistack-helper seal kiwistack-enroll device key',
  );
});

it('does not take a key that another machine has sealed', async () => {
  await store.createDeviceKey('acme');
  await machine.write(KEY, `# Written by kiwistack-enroll\n${Buffer.from('from elsewhere').toString('base64')}\n`);
  await expect(store.loadDeviceKey('acme')).rejects.toMatchObject({ code: 'state-damaged' });
});

it('puts nothing into a folder that somebody else has made', async () => {
  machine.rights.set(at(machine, 'ProgramData/KiwiStack'), 'O:S-1-5-21-9-9-9-1005D:(A;OICI;FA;;;WD)');
  await expect(store.createDeviceKey('acme')).rejects.toMatchObject({ code: 'access-denied' });
  expect(await machine.read(KEY)).toBeUndefined();
});

it('installs the certificate, in files and in the machine’s store with its key, and removes it all', async () => {
  const certificate = await certificateFor('acme');
  await store.install('acme', certificate);
  expect(await store.verify('acme', certificate)).toBe(true);
  expect((await store.load('acme'))?.leaf.der).toEqual(certificate.leaf.der);
  const name = `KiwiStack acme ${sha256(certificate.leaf.spki).toString('hex')}`;
  expect([...machine.stores.MY.values()]).toMatchObject([{ name: 'KiwiStack acme', key: name }]);
  expect([...machine.stores.CA.values()]).toMatchObject([{ name: 'KiwiStack acme', key: null }]);
  expect([...machine.cng.keys.keys()]).toEqual([name]);
  const found = await store.found();
  expect(found.map(({ what }) => what.replace(machine.root, '').replace(/[0-9a-f]{16}$/u, '…'))).toEqual([
    '/ProgramData/KiwiStack/Certificates/acme-roots.crt',
    '/ProgramData/KiwiStack/Certificates/acme.crt',
    '/ProgramData/KiwiStack/Certificates/acme.key',
    String.raw`LocalMachine\MY: …`,
    String.raw`LocalMachine\CA: …`,
    `CNG: ${name.slice(0, 31)}…`,
  ]);
  expect(found.find(({ device }) => device !== undefined)?.device).toMatchObject({
    deviceId: DEVICE_ID,
    customer: 'Acme',
  });
  await store.remove(undefined);
  await store.remove(undefined);
  expect(await store.found()).toEqual([]);
  expect(await store.loadDeviceKey('acme')).toBeUndefined();
});

it('leaves only the newest certificate in the store', async () => {
  const first = await certificateFor('acme');
  await store.install('acme', first);
  const sealed = await store.loadDeviceKey('acme');
  const second = await certificateFor('acme');
  expect(sealed?.publicKey.equals((await store.loadDeviceKey('acme'))?.publicKey ?? generateP256())).toBe(true);
  await store.install('acme', second);
  expect(machine.stores.MY.size).toBe(1);
  expect(await store.verify('acme', first)).toBe(false);
  expect(await store.verify('acme', second)).toBe(true);
});

it('refuses a certificate for another key', async () => {
  await store.createDeviceKey('acme');
  const other = await makeDeviceCertificate(generateP256());
  await expect(store.install('acme', other)).rejects.toMatchObject({ code: 'grant-invalid' });
});

it('is not verified once the certificate is gone from the machine’s store', async () => {
  const certificate = await certificateFor('acme');
  await store.install('acme', certificate);
  machine.stores.MY.clear();
  expect(await store.verify('acme', certificate)).toBe(false);
});
