import { afterEach, beforeEach, expect, it } from 'vitest';

import { keychainHash } from '../../../../platform/macos/keychain.ts';
import { PATHS } from '../../../../platform/macos/paths.ts';
import { renderPlist } from '../../../../platform/macos/plist.ts';
import { MacTrustStore, readTrusted } from '../../../../platform/macos/trust-store.ts';
import { makeTestRoot } from '../linux/test-certificates.ts';
import { FakeMac } from './fake-mac.ts';

let mac: FakeMac;
let store: MacTrustStore;

beforeEach(async () => {
  mac = await FakeMac.make();
  store = new MacTrustStore(mac);
});
afterEach(() => mac.destroy());

it('adds a root for all users, sees it, and removes it by its hash', async () => {
  const root = (await makeTestRoot('KiwiStack MSP Root')).certificate;
  expect(await store.verify([root])).toBe(false);
  await store.install([root]);
  await store.install([root]);
  expect(mac.ran.filter((line) => line.includes('add-trusted-cert'))).toHaveLength(1);
  expect(mac.ran.join('\n')).toContain(
    `security add-trusted-cert -d -r trustRoot -k ${PATHS.keychain} ${PATHS.roots}/`,
  );
  expect(await store.verify([root])).toBe(true);
  expect(await store.found()).toHaveLength(1);
  await store.remove([]);
  await store.remove([root]);
  expect(mac.keychain).toEqual([]);
  expect(mac.ran.join('\n')).toContain(`delete-certificate -Z ${keychainHash(root)} ${PATHS.keychain}`);
  expect(await store.found()).toEqual([]);
  expect(await store.verify([root])).toBe(false);
});

it('leaves a root that was trusted before', async () => {
  const root = (await makeTestRoot('From device management')).certificate;
  mac.keychain.push(root);
  mac.trusted.add(keychainHash(root));
  await store.install([root]);
  await store.remove([root]);
  expect(mac.keychain).toHaveLength(1);
  expect(await store.verify([root])).toBe(true);
});

it('says who has to be at the screen where macOS refuses, and leaves nothing behind that a removal does not find', async () => {
  const root = (await makeTestRoot('KiwiStack MSP Root')).certificate;
  mac.confirms = false;
  await expect(store.install([root])).rejects.toMatchObject({
    code: 'trust-store-failed',
    hint: expect.stringContaining('at the screen') as string,
  });
  await store.remove([root]);
  expect(await store.found()).toEqual([]);
});

it('does not take a root for trusted that the settings forbid', () => {
  const one = 'A'.repeat(40);
  const settings = (trustSettings: { kSecTrustSettingsResult?: number }[]): string =>
    renderPlist({ trustVersion: 1, trustList: { [one]: { trustSettings } } });
  expect(readTrusted(settings([]))).toEqual(new Set([one]));
  expect(readTrusted(settings([{ kSecTrustSettingsResult: 1 }]))).toEqual(new Set([one]));
  expect(readTrusted(settings([{ kSecTrustSettingsResult: 3 }]))).toEqual(new Set());
});
