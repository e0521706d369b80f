import { afterEach, beforeEach, expect, it } from 'vitest';

import { storeHash } from '../../../../platform/windows/machine-store.ts';
import { WindowsTrustStore } from '../../../../platform/windows/trust-store.ts';
import type { Certificate } from '../../../../src/pki/certificate.ts';
import { makeTestRoot } from '../linux/test-certificates.ts';
import { FakeWindows } from './fake-windows.ts';

let machine: FakeWindows;
let store: WindowsTrustStore;
let root: Certificate;

beforeEach(async () => {
  machine = await FakeWindows.make();
  store = new WindowsTrustStore(machine);
  root = (await makeTestRoot('KiwiStack MSP Root')).certificate;
  machine.stores.ROOT.set('00'.repeat(32), { name: null });
});
afterEach(() => machine.destroy());

it('adds the root once, and removes it again', async () => {
  expect(await store.verify([root])).toBe(false);
  await store.install([root]);
  await store.install([root]);
  expect(machine.ran.filter((line) => line.includes('certificate-add'))).toEqual([
    'kiwistack-helper certificate-add ROOT KiwiStack root',
  ]);
  expect(await store.verify([root])).toBe(true);
  expect(await store.found()).toEqual([
    { what: String.raw`LocalMachine\Root: ${storeHash(root.der).slice(0, 16)}`, ours: true },
  ]);
  await store.remove();
  await store.remove();
  expect(await store.verify([root])).toBe(false);
  expect([...machine.stores.ROOT.keys()]).toEqual(['00'.repeat(32)]);
});

it('leaves a root that somebody else had added', async () => {
  machine.stores.ROOT.set(storeHash(root.der), { name: 'by the domain' });
  await store.install([root]);
  await store.remove();
  expect(await store.verify([root])).toBe(true);
});

it('says so when the store does not keep it', async () => {
  machine.verbs['certificate-add'] = () => undefined;
  await expect(store.install([root])).rejects.toMatchObject({ code: 'trust-store-failed' });
});

it('says so when the store refuses', async () => {
  machine.verbs['certificate-add'] = () => ({ code: 5, stderr: 'CertOpenStore: error 5' });
  await expect(store.install([root])).rejects.toMatchObject({
    code: 'trust-store-failed',
    detail: 'kiwistack-helper certificate-add: CertOpenStore: error 5',
  });
});
