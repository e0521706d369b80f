import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { WindowsCertificateStore } from '../../platform/windows/certificate-store.ts';
import { eccPrivateBlob } from '../../platform/windows/ecc-private-blob.ts';
import { machineKeys } from '../../platform/windows/machine-keys.ts';
import { storedCertificates, storeHash } from '../../platform/windows/machine-store.ts';
import { unseal } from '../../platform/windows/sealed.ts';
import { KEY_SECURITY } from '../../platform/windows/sddl.ts';
import type { DeviceCertificate } from '../../src/laptop/system/certificate-store.ts';
import { generateP256 } from '../../src/pki/keys.ts';
import { makeDeviceCertificate } from '../unit/platform/linux/test-certificates.ts';
import { Wine } from './wine.ts';

const NAME = `KiwiStack acme ${'0'.repeat(64)}`;
let wine: Wine;
let store: WindowsCertificateStore;
beforeAll(async () => {
  wine = await Wine.make();
  store = new WindowsCertificateStore(wine);
});
afterAll(() => wine.destroy());

async function next(): Promise<DeviceCertificate> {
  await store.createDeviceKey('acme');
  const sealed = (await readFile(store.paths('acme').key, 'utf8')).split('\n')[1] ?? '';
  const key = await unseal(wine, 'kiwistack-enroll device key', Buffer.from(sealed, 'base64'));
  return makeDeviceCertificate(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
}

/**
 * Wine 8 opens the provider and implements nothing of what keeps a key. So all that is shown of the verbs for keys is that they reach these
 * calls, and tell "not implemented" from a failure: that a key is imported, listed, used and removed, wine cannot show.
 */
describe('keys in CNG', () => {
  it('are said not to be implemented, by the call that says so', async () => {
    const blob = eccPrivateBlob(generateP256());
    const said = async (args: readonly string[], input?: Buffer): Promise<unknown[]> => {
      const { code, stdout, stderr } = await wine.helper(args, input);
      return [code, stdout.toString(), stderr.toString().trim()];
    };
    const not = ', not implemented';
    expect(await said(['key-list'])).toEqual([4, '', `NCryptEnumKeys: error 0x80090029${not}`]);
    expect(await said(['key-add', NAME, KEY_SECURITY], blob)).toEqual([
      ...[4, '', `NCryptImportKey: error 0x80090029${not}`],
    ]);
    expect(await said(['key-remove', NAME])).toEqual([4, '', `NCryptOpenKey: error 0x80090029${not}`]);
    expect(await machineKeys(wine)).toBeUndefined();
  });

  it('of other programs are not what it is asked for', async () => {
    for (const name of ['Other', 'KiwiStack', `KiwiStack ${'a'.repeat(256)}`]) {
      expect((await wine.helper(['key-add', name, KEY_SECURITY], Buffer.alloc(104))).code, name).toBe(2);
      expect((await wine.helper(['key-remove', name])).code, name).toBe(2);
      expect((await wine.helper(['certificate-add', 'MY', 'KiwiStack acme', name], Buffer.alloc(9))).code).toBe(2);
    }
  });

  it('are given rights that can be read as such', async () => {
    const { code, stderr } = await wine.helper(['key-add', NAME, 'no rights'], Buffer.alloc(104));
    expect([code, stderr.toString()]).toEqual([1, expect.stringContaining('the security descriptor') as string]);
  });
});

describe('a device certificate in LocalMachine\\My', () => {
  it('keeps the name of its key, in another process too', async () => {
    const { leaf } = await makeDeviceCertificate(generateP256());
    expect((await wine.helper(['certificate-add', 'MY', 'KiwiStack acme', NAME], leaf.der)).code).toBe(0);
    const sha256 = storeHash(leaf.der);
    expect(await storedCertificates(wine, 'MY')).toEqual([{ sha256, name: 'KiwiStack acme', key: NAME, ours: true }]);
    expect((await wine.helper(['certificate-remove', 'MY', sha256])).code).toBe(0);
    expect(await storedCertificates(wine, 'MY')).toEqual([]);
  });

  it('is there without its key, which is said; is renewed, and removed', async () => {
    const first = await next();
    // The key is gone, and the certificate still names it.
    expect((await wine.helper(['certificate-add', 'MY', 'KiwiStack acme', NAME], first.leaf.der)).code).toBe(0);
    await store.install('acme', first);
    expect(await store.verify('acme', first)).toBe(true);
    const fault = { code: 'certificate-keyless', detail: 'CNG of this system keeps no keys: not implemented' };
    expect(await store.systemUse('acme')).toMatchObject(fault);
    await expect(store.giveToSystem('acme')).rejects.toMatchObject(fault);
    const second = await next();
    await store.install('acme', second);
    expect([await store.verify('acme', first), await store.verify('acme', second)]).toEqual([false, true]);
    const ours = async (name: 'MY' | 'CA'): Promise<string[]> =>
      (await storedCertificates(wine, name)).filter((one) => one.ours).map(({ sha256 }) => sha256);
    expect(await ours('MY')).toEqual([storeHash(second.leaf.der)]);
    expect(await ours('CA')).toEqual([storeHash(second.intermediate.der)]);
    await store.remove('acme');
    expect(await store.found()).toEqual([]);
  });
});
