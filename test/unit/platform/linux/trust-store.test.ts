import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { rootFileName } from '../../../../platform/linux/root-file-name.ts';
import { LinuxTrustStore } from '../../../../platform/linux/trust-store.ts';
import type { Certificate } from '../../../../src/pki/certificate.ts';
import { FakeLinux } from './fake-linux.ts';
import { makeTestRoot } from './test-certificates.ts';

let machine: FakeLinux;
let store: LinuxTrustStore;
let root: Certificate;
let other: Certificate;

beforeEach(async () => {
  machine = await FakeLinux.make();
  store = new LinuxTrustStore(machine);
  root = (await makeTestRoot('KiwiStack MSP Root')).certificate;
  other = (await makeTestRoot('Somebody else')).certificate;
});
afterEach(() => machine.destroy());

/** Puts all anchors behind one another into the bundle, as every distribution's tool does in the end. */
async function installDistribution(anchors: string, program: string, bundle: string, verb?: string): Promise<void> {
  await machine.write(`${anchors}/other.crt`, other.pem);
  await machine.install(program, async (args) => {
    if (verb !== undefined) expect(args).toEqual([verb]);
    const files = (await machine.files(anchors)).map((line) => line.split(' ')[0] ?? '');
    const texts = await Promise.all(files.map((file) => machine.read(file)));
    await machine.write(bundle, texts.join(''));
  });
}

describe.each([
  [
    'Debian',
    '/usr/local/share/ca-certificates',
    'crt',
    '/usr/sbin/update-ca-certificates',
    '/etc/ssl/certs/ca-certificates.crt',
    undefined,
  ],
  [
    'Red Hat',
    '/etc/pki/ca-trust/source/anchors',
    'pem',
    '/usr/bin/update-ca-trust',
    '/etc/pki/tls/certs/ca-bundle.crt',
    'extract',
  ],
  [
    'SUSE',
    '/usr/share/pki/trust/anchors',
    'crt',
    '/usr/sbin/update-ca-certificates',
    '/etc/ssl/ca-bundle.pem',
    undefined,
  ],
  [
    'Arch',
    '/etc/ca-certificates/trust-source/anchors',
    'crt',
    '/usr/bin/trust',
    '/etc/ca-certificates/extracted/tls-ca-bundle.pem',
    'extract-compat',
  ],
])('on %s', (_name, anchors, extension, program, bundle, verb) => {
  it('a root is installed once, verified in the bundle, and removed without a trace', async () => {
    await installDistribution(anchors, program, bundle, verb);
    await store.remove([root]);
    expect(machine.ran).toEqual([]);
    const before = await machine.files(anchors);

    expect(await store.verify([root])).toBe(false);
    await store.install([root]);
    await store.install([root]);
    expect(await store.verify([root])).toBe(true);
    expect(machine.ran).toHaveLength(1);
    expect(await machine.files(anchors)).toEqual(
      [`${anchors}/${rootFileName(root.der)}.${extension} 0644`, ...before].sort(),
    );
    expect(await store.systemCaBundle()).toContain(root.pem);

    await store.remove([root]);
    await store.remove([root]);
    expect(machine.ran).toHaveLength(2);
    expect(await machine.files(anchors)).toEqual(before);
    expect(await store.verify([root])).toBe(false);
    expect(await store.systemCaBundle()).toBe(other.pem);
  });
});

describe('the trust store', () => {
  it('reports when the tool did not add the root', async () => {
    await machine.write('/usr/local/share/ca-certificates/x.crt', other.pem);
    await machine.install('/usr/sbin/update-ca-certificates');
    await expect(store.install([root])).rejects.toMatchObject({ code: 'trust-store-failed' });
  });

  it('reports what a failing tool said', async () => {
    await machine.write('/usr/local/share/ca-certificates/x.crt', other.pem);
    await machine.install('/usr/sbin/update-ca-certificates', () => ({ code: 1, stderr: 'no space' }));
    await expect(store.install([root])).rejects.toMatchObject({
      code: 'trust-store-failed',
      detail: 'update-ca-certificates: exit code 1: no space',
    });
  });

  it('reports when there is none that it knows', async () => {
    await expect(store.install([root])).rejects.toMatchObject({ code: 'trust-store-failed' });
    expect(await store.systemCaBundle()).toBeUndefined();
  });

  it('deselects the root in a copy of Debian’s list, for its tool takes no notice of a file that is gone', async () => {
    const anchors = '/usr/local/share/ca-certificates';
    await installDistribution(anchors, '/usr/sbin/update-ca-certificates', '/etc/ssl/certs/ca-certificates.crt');
    await machine.write('/etc/ca-certificates.conf', 'mozilla/ISRG_Root_X1.crt\n');
    await store.install([root]);
    let list: string | undefined;
    await machine.install('/usr/sbin/update-ca-certificates', async ([option, file]) => {
      expect(option).toBe('--certsconf');
      list = await machine.read((file ?? '').slice(machine.root.length));
      return undefined;
    });
    await store.remove([root]);
    expect(list).toBe(`mozilla/ISRG_Root_X1.crt\n\n!${rootFileName(root.der)}.crt\n`);
    expect(await machine.read('/etc/ca-certificates.conf')).toBe('mozilla/ISRG_Root_X1.crt\n');
    expect(await machine.files('/run')).toEqual([]);
  });
});
