import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { KiwiError } from '../../../src/core/errors.ts';
import type { Keychain } from '../../../src/operator-client/keychain.ts';
import { SignInStore } from '../../../src/operator-client/sign-in-store.ts';
import type { SignedIn } from '../../../src/operator-client/signed-in.ts';

const GATEWAY = 'https://10.77.0.1:9444';
const session: SignedIn = {
  ...{ version: 1, gateway: GATEWAY, customer: { slug: 'acme', name: 'Acme GmbH' }, root: 'PEM', operator: 'anna' },
  ...{ role: 'admin', sessionId: '00000000-0000-4000-8000-000000000001', expiresAt: '2026-11-27T20:00:00.000Z' },
  sessionKey: 'the secret of the session',
};
const none = (): Promise<Keychain> => Promise.reject(new KiwiError('keychain-unavailable'));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-sign-ins-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('where there is no keychain, it says so before anybody signs in, and nothing is written', async () => {
  const store = new SignInStore(folder, none);
  await expect(store.prepare(GATEWAY, 'keychain')).rejects.toMatchObject({ code: 'keychain-unavailable' });
  expect(await readdir(folder)).toEqual([]);
});

test('a file is for whoever asks for one, and for nobody else’s eyes', async () => {
  const store = new SignInStore(folder, none);
  await store.prepare(GATEWAY, 'file');
  await store.keep(session, 'file');
  expect((await stat(path.join(folder, 'sign-ins.json'))).mode & 0o777).toBe(0o600);
  expect(await store.find()).toEqual(session);
  await store.forget(session);
  await expect(store.find()).rejects.toMatchObject({ code: 'sign-in-needed' });
});
