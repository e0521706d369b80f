import { rm } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { StepCertificateStore } from '../../../../platform/linux/certificate-store.ts';
import { generateP256, spkiDer } from '../../../../src/pki/keys.ts';
import { publicAreaOf } from '../../../fakes/slice/pretended-tpm.ts';
import { FakeLinux } from './fake-linux.ts';
import { DEVICE_ID, makeDeviceCertificate } from './test-certificates.ts';

const CERTS = '/etc/step/certs';
const NAME = 'anna-laptop';
const NOTE = '# Written by kiwistack-enroll; `kiwistack-enroll uninstall` removes it.\n';

let machine: FakeLinux;
let store: StepCertificateStore;

beforeEach(async () => {
  machine = await FakeLinux.make();
  await machine.write('/etc/hostname', 'laptop\n');
  store = new StepCertificateStore(machine);
});
afterEach(() => machine.destroy());

describe('the device key', () => {
  it('is stored for root alone before anybody has it, and is found again', async () => {
    expect(await store.loadDeviceKey(NAME)).toBeUndefined();
    const key = await store.createDeviceKey(NAME);
    expect(await machine.files('/etc/step')).toEqual([`${CERTS}/ 0700`, `${CERTS}/${NAME}.key 0600`]);
    const loaded = await new StepCertificateStore(machine).loadDeviceKey(NAME);
    expect(loaded && spkiDer(loaded.publicKey).equals(spkiDer(key.publicKey))).toBe(true);
    expect(spkiDer((await store.createDeviceKey(NAME)).publicKey).equals(spkiDer(key.publicKey))).toBe(true);
  });

  it('is refused when others could have read it, or when it is none', async () => {
    await store.createDeviceKey(NAME);
    await machine.write(`${CERTS}/${NAME}.key`, 'x', 0o644);
    await expect(store.loadDeviceKey(NAME)).rejects.toMatchObject({ code: 'state-damaged' });
    await machine.write(`${CERTS}/${NAME}.key`, 'x', 0o600);
    await expect(store.createDeviceKey(NAME)).rejects.toMatchObject({ code: 'state-damaged' });
  });

  it('of the TPM takes the place of the one in a file; neither needs the TPM to be there', async () => {
    await store.createDeviceKey(NAME);
    const device = generateP256();
    const parts = { publicArea: publicAreaOf(device, 0x0006_0472), privateArea: Buffer.alloc(126, 1) };
    const kept = await store.keepTpmKey(NAME, parts);
    expect(await machine.files('/etc/step')).toEqual([`${CERTS}/ 0700`, `${CERTS}/${NAME}.key 0600`]);
    const loaded = await new StepCertificateStore(machine).loadDeviceKey(NAME);
    for (const key of [kept, loaded]) {
      expect(key).toMatchObject({ kind: 'tpm', parts, where: `${CERTS}/${NAME}.key` });
      expect(key && spkiDer(key.publicKey).equals(spkiDer(device))).toBe(true);
    }
    await expect(kept.sign(Buffer.alloc(1))).rejects.toMatchObject({ code: 'tpm-missing' });

    const certificate = await makeDeviceCertificate(kept.publicKey);
    await store.install(NAME, certificate);
    expect(await store.verify(NAME, certificate)).toBe(true);
    expect((await store.found()).map(({ what, ours }) => [what, ours])).toContainEqual([`${CERTS}/${NAME}.key`, true]);
    await store.remove(NAME);
    expect(await machine.files('/etc/step')).toEqual([]);
  });

  it('cannot be given a name that leads elsewhere', async () => {
    await expect(store.createDeviceKey('../../shadow')).rejects.toThrow();
  });
});

describe('the certificate', () => {
  it('is written with its chain and root, found again, and replaced by a newer one', async () => {
    const key = await store.createDeviceKey(NAME);
    const [first, second] = [await makeDeviceCertificate(key.publicKey), await makeDeviceCertificate(key.publicKey)];
    expect(await store.load(NAME)).toBeUndefined();
    expect(await store.verify(NAME, first)).toBe(false);

    await store.install(NAME, first);
    await store.install(NAME, first);
    expect(await machine.files('/etc/step')).toEqual([
      `${CERTS}/ 0700`,
      `${CERTS}/${NAME}.crt 0644`,
      `${CERTS}/${NAME}.key 0600`,
      `${CERTS}/root_ca.crt 0644`,
    ]);
    expect(await machine.read(`${CERTS}/${NAME}.crt`)).toBe(NOTE + first.leaf.pem + first.intermediate.pem);
    expect(await store.verify(NAME, first)).toBe(true);
    expect((await store.load(NAME))?.leaf.serialHex).toBe(first.leaf.serialHex);
    expect(store.paths(NAME).certificate).toBe(`${CERTS}/${NAME}.crt`);

    await store.install(NAME, { ...second, roots: first.roots });
    expect((await store.load(NAME))?.leaf.serialHex).toBe(second.leaf.serialHex);
    expect(await store.verify(NAME, first)).toBe(false);
  });

  it('is refused for another key, and nothing is written', async () => {
    await store.createDeviceKey(NAME);
    await expect(store.install(NAME, await makeDeviceCertificate(generateP256()))).rejects.toMatchObject({
      code: 'grant-invalid',
    });
    expect(await machine.files('/etc/step')).toEqual([`${CERTS}/ 0700`, `${CERTS}/${NAME}.key 0600`]);
  });

  it('that cannot be read is damaged, not absent', async () => {
    await store.install(NAME, await makeDeviceCertificate((await store.createDeviceKey(NAME)).publicKey));
    await machine.write(`${CERTS}/${NAME}.crt`, 'half a certificate');
    await expect(store.load(NAME)).rejects.toMatchObject({ code: 'state-damaged' });
  });
});

describe('removal', () => {
  it('leaves nothing, and may be repeated', async () => {
    const before = await machine.files('/');
    await store.remove(NAME);
    await store.install(NAME, await makeDeviceCertificate((await store.createDeviceKey(NAME)).publicKey));
    await store.remove(NAME);
    await store.remove(NAME);
    expect(await machine.files('/')).toEqual(before);
  });

  it('removes a key whose certificate never arrived', async () => {
    const before = await machine.files('/');
    await store.createDeviceKey(NAME);
    await store.remove(NAME);
    expect(await machine.files('/')).toEqual(before);
  });

  it('gives back what smallstep’s own tools had there', async () => {
    await machine.write(`${CERTS}/root_ca.crt`, 'of somebody else', 0o644);
    await machine.write(`${CERTS}/web.crt`, 'of somebody else', 0o644);
    const before = await machine.files('/etc/step');
    const certificate = await makeDeviceCertificate((await store.createDeviceKey(NAME)).publicKey);
    await store.install(NAME, certificate);
    await store.install(NAME, certificate);
    expect(await store.verify(NAME, certificate)).toBe(true);
    await store.remove(NAME);
    expect(await machine.files('/etc/step')).toEqual(before);
    expect(await machine.read(`${CERTS}/root_ca.crt`)).toBe('of somebody else');
  });

  it('gives back the file of somebody else with its mode', async () => {
    await machine.write(`${CERTS}/root_ca.crt`, 'of somebody else', 0o600);
    await store.install(NAME, await makeDeviceCertificate((await store.createDeviceKey(NAME)).publicKey));
    await store.remove(NAME);
    expect(await machine.files('/etc/step')).toContain(`${CERTS}/root_ca.crt 0600`);
    expect(await machine.read(`${CERTS}/root_ca.crt`)).toBe('of somebody else');
  });

  it.each([
    ['the same root', (roots: string) => roots],
    ['another root', () => 'of somebody else'],
    ['ours and another root', (roots: string) => `${roots}of somebody else`],
  ])('leaves a roots file that another tool has put there in the meantime: %s', async (_what, content) => {
    const certificate = await makeDeviceCertificate((await store.createDeviceKey(NAME)).publicKey);
    await store.install(NAME, certificate);
    const theirs = `# step\n${content(certificate.roots[0]?.pem ?? '')}`;
    await machine.write(`${CERTS}/root_ca.crt`, theirs, 0o640);
    expect((await store.found()).map(({ what }) => what)).toEqual([`${CERTS}/${NAME}.crt`, `${CERTS}/${NAME}.key`]);
    await store.remove(NAME);
    expect(await machine.read(`${CERTS}/root_ca.crt`)).toBe(theirs);
    expect(await store.found()).toEqual([]);
  });
});

describe('without a record', () => {
  const whats = async (): Promise<string[]> => (await store.found()).map(({ what }) => what);

  it('the certificate names device, customer and gateway', async () => {
    const gatewayUrl = 'https://enroll.acme.example';
    const key = await store.createDeviceKey(NAME);
    await store.install(NAME, { ...(await makeDeviceCertificate(key.publicKey)), gatewayUrl });
    const device = { deviceId: DEVICE_ID, customer: 'Acme', gatewayUrl };
    expect(await store.found()).toContainEqual({ what: `${CERTS}/${NAME}.crt`, ours: true, name: NAME, device });
  });

  it.each([['crt'], ['key']])('all of it is found and removed, also when the .%s is lost', async (extension) => {
    const before = await machine.files('/');
    await store.install(NAME, await makeDeviceCertificate((await store.createDeviceKey(NAME)).publicKey));
    await rm(path.join(machine.root, `${CERTS}/${NAME}.${extension}`));
    expect(await whats()).toEqual([`${CERTS}/${NAME}.${extension === 'crt' ? 'key' : 'crt'}`, `${CERTS}/root_ca.crt`]);
    await store.remove(undefined);
    expect(await machine.files('/')).toEqual(before);
  });

  it('what version 0.1.0 wrote without a marker is found by what it says', async () => {
    await store.install(NAME, await makeDeviceCertificate((await store.createDeviceKey(NAME)).publicKey));
    for (const file of [`${NAME}.crt`, `${NAME}.key`, 'root_ca.crt']) {
      const text = (await machine.read(`${CERTS}/${file}`)) ?? '';
      await machine.write(`${CERTS}/${file}`, text.replace(NOTE, ''), file.endsWith('.key') ? 0o600 : 0o644);
    }
    expect(await whats()).toEqual([`${CERTS}/${NAME}.crt`, `${CERTS}/${NAME}.key`, `${CERTS}/root_ca.crt`]);
    await store.remove(undefined);
    expect(await machine.files('/etc/step')).toEqual([]);
  });

  it('files of smallstep’s own tools are neither found nor removed', async () => {
    for (const file of ['web.crt', 'web.key', 'root_ca.crt']) await machine.write(`${CERTS}/${file}`, 'theirs', 0o600);
    const before = await machine.files('/');
    expect(await store.found()).toEqual([]);
    await store.remove(undefined);
    expect(await machine.files('/')).toEqual(before);
  });
});
