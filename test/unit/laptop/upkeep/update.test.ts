import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { NewestRelease } from '../../../../src/laptop/state/newest-release.ts';
import { RecordFile } from '../../../../src/laptop/state/record.ts';
import type { InstalledPackages, Updater } from '../../../../src/laptop/system/updater.ts';
import { rolloutBucket } from '../../../../src/laptop/update/decide-update.ts';
import { update } from '../../../../src/laptop/upkeep/update.ts';
import { signCompact } from '../../../../src/pki/jws.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import type { UpdateManifest } from '../../../../src/protocol/update-manifest.ts';
import { NOW } from '../../pki/test-authority.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { say, type Answer } from '../gateway-client/local-gateway.ts';

const NAME = 'kiwistack-enroll';
const WINDOW = 'kiwistack-enroll-desktop';
const AGENT = Buffer.from('the package of the agent');
const OTHER = Buffer.from('the package of the window');
const provider = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const inDays = (days: number): string => new Date(NOW.getTime() + days * 86_400_000).toISOString();

/** What was installed, with the bytes that were in the files then. */
interface FakeUpdater extends Updater {
  pinned: string | undefined;
  versions: InstalledPackages['versions'];
  fails: KiwiError | undefined;
  readonly took: { readonly version: string; readonly files: readonly string[] }[];
}

let laptop: EnrolledLaptop;
let updater: FakeUpdater;
beforeEach(async () => {
  laptop = await enrolledLaptop();
  updater = {
    pinned: pemOf(provider.publicKey),
    versions: { [NAME]: '0.1.0' },
    fails: undefined,
    took: [],
    releaseKeys: () => Promise.resolve(updater.pinned),
    installed: () => Promise.resolve({ system: 'linux', architecture: 'x64', versions: updater.versions }),
    install: async ({ version, packages }) => {
      const files = await Promise.all(packages.map(({ file }) => readFile(file, 'utf8')));
      if (updater.fails !== undefined) throw updater.fails;
      updater.took.push({ version, files });
      updater.versions = Object.fromEntries(packages.map(({ name }) => [name, version]));
    },
  };
  Object.assign(laptop.context.platform, { updater });
});
afterEach(() => laptop.end());

const entryOf = (name: typeof NAME | typeof WINDOW, bytes: Buffer): UpdateManifest['packages'][number] => ({
  ...{ name, system: 'linux', architecture: 'x64', file: `${name}.deb`, size: bytes.length },
  sha256: createHash('sha256').update(bytes).digest('hex'),
});
const MANIFEST: UpdateManifest = {
  ...{ schema: 1, version: '0.2.0', issuedAt: inDays(-1), expiresAt: inDays(30), rollout: 100 },
  packages: [entryOf(NAME, AGENT), entryOf(WINDOW, OTHER)],
};

const sign = (payload: object, key = provider.privateKey, typ: string = TYP.update): Promise<string> =>
  signCompact({ typ, payload: JSON.stringify(payload), signer: keySigner(key) });
const jose = (text: string): Answer => say(200, 'application/jose', text);
const file =
  (bytes: Buffer): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length }).end(bytes);
  };
const offer = async (change: Partial<UpdateManifest> = {}, files: readonly Answer[] = [file(AGENT)]): Promise<void> => {
  laptop.gateway.answer(jose(await sign({ ...MANIFEST, ...change })), ...files);
};
const notOffered = (): Promise<void> => {
  laptop.gateway.answer(refusal('not-found', 404));
  return Promise.resolve();
};
const codeOf = async (): Promise<string> =>
  update(laptop.context).then(
    ({ result }) => result,
    (error: unknown) => (error instanceof KiwiError ? error.code : String(error)),
  );
/** Folders with downloads in them. */
const leftOvers = async (): Promise<string[]> =>
  (await readdir(laptop.stateFolder)).filter((name) => name.startsWith('update-'));

describe('update', () => {
  it('installs the version that the provider has signed, from the files of these bytes', async () => {
    await offer();
    expect(await update(laptop.context)).toEqual({ result: 'updated', version: '0.2.0' });
    expect(updater.took).toEqual([{ version: '0.2.0', files: [AGENT.toString()] }]);
    const asked = laptop.gateway.seen.map(({ method, path: place }) => `${method} ${place}`);
    expect(asked).toEqual(['GET /packages/manifest', `GET /packages/${entryOf(NAME, AGENT).sha256}/${NAME}.deb`]);
    expect(await leftOvers()).toEqual([]);
  });

  it('updates the window together with the agent, where both are', async () => {
    updater.versions = { [NAME]: '0.1.0', [WINDOW]: '0.1.0' };
    await offer({}, [file(AGENT), file(OTHER)]);
    expect(await codeOf()).toBe('updated');
    expect(updater.took[0]?.files).toEqual([AGENT.toString(), OTHER.toString()]);
  });

  it.each([
    ['0.2.0', 'current'],
    ['0.2.0+1', 'current'],
    ['0.10.0', 'current'],
    ['1.0.0', 'current'],
    ['0.1.99', 'updated'],
    ['0.1.0+7', 'updated'],
    ['0.2.0~rc1', 'not-for-this-laptop'],
  ])('never goes back: with %s installed, the outcome is %s', async (version, result) => {
    updater.versions = { [NAME]: version };
    await offer();
    expect(await codeOf()).toBe(result);
    expect(updater.took).toHaveLength(result === 'updated' ? 1 : 0);
  });

  it.each([
    ['is not offered any', notOffered, 'not-offered'],
    [
      'is of another system',
      () => offer({ packages: [{ ...entryOf(NAME, AGENT), system: 'macos' }] }),
      'not-for-this-laptop',
    ],
    [
      'has another processor',
      () => offer({ packages: [{ ...entryOf(NAME, AGENT), architecture: 'arm64' }] }),
      'not-for-this-laptop',
    ],
    ['is not to take it yet', () => offer({ rollout: 0 }), 'not-yet'],
  ])('does nothing on a laptop that %s', async (_, prepare, result) => {
    await prepare();
    expect(await codeOf()).toBe(result);
    expect(updater.took).toEqual([]);
  });

  it('asks nobody where the package pins no key, and none in an enrollment that is gone', async () => {
    updater.pinned = undefined;
    expect(await codeOf()).toBe('not-pinned');
    updater.pinned = pemOf(provider.publicKey);
    await new RecordFile(laptop.stateFolder).remove();
    expect(await codeOf()).toBe('not-enrolled');
    expect(laptop.gateway.seen).toEqual([]);
  });

  it('takes what one of several pinned keys has signed, so that a provider can change keys', async () => {
    updater.pinned = pemOf(stranger.publicKey) + pemOf(provider.publicKey);
    await offer();
    expect(await codeOf()).toBe('updated');
  });
});

const refusal = (code: string, status: number): Answer =>
  say(
    status,
    'application/json',
    JSON.stringify({ code, message: 'no', hint: 'no', retryable: false, requestId: '1' }),
  );

describe('what is not the provider’s offer', () => {
  const signed = (change: object): Promise<string> => sign({ ...MANIFEST, ...change });
  it.each<[string, () => Promise<string>, string]>([
    ['forged by another key', () => sign(MANIFEST, stranger.privateKey), 'update-not-proven'],
    ['signed for another purpose', () => sign(MANIFEST, provider.privateKey, TYP.grant), 'update-not-proven'],
    [
      'changed after it was signed',
      async () => (await signed({})).replace(/\.(.)/u, (_, one: string) => `.${one === 'e' ? 'f' : 'e'}`),
      'update-not-proven',
    ],
    ['no JWS at all', () => Promise.resolve('hello'), 'update-not-proven'],
    ['of a field that nobody knows', () => signed({ channel: 'beta' }), 'update-not-proven'],
    ['of a version that is a path', () => signed({ version: '../../9.9.9' }), 'update-not-proven'],
    [
      'of a file that is a path',
      () => signed({ packages: [{ ...entryOf(NAME, AGENT), file: '../evil.deb' }] }),
      'update-not-proven',
    ],
    [
      'of a package of others',
      () => signed({ packages: [{ ...entryOf(NAME, AGENT), name: 'openssh-server' }] }),
      'update-not-proven',
    ],
    ['of more than all laptops', () => signed({ rollout: 101 }), 'update-not-proven'],
    ['expired', () => signed({ expiresAt: inDays(-0.5) }), 'update-expired'],
  ])('is refused when it is %s', async (_, make, code) => {
    laptop.gateway.answer(jose(await make()), file(AGENT));
    expect(await codeOf()).toBe(code);
    expect(updater.took).toEqual([]);
    expect(await leftOvers()).toEqual([]);
  });

  it('is refused when it is an older one than was seen, also if that one was not taken', async () => {
    await offer({ issuedAt: inDays(-1), rollout: 0 });
    expect(await codeOf()).toBe('not-yet');
    await offer({ issuedAt: inDays(-2), version: '0.1.5' });
    expect(await codeOf()).toBe('update-replayed');
    await offer({ issuedAt: inDays(-1) });
    expect(await codeOf()).toBe('updated');
  });

  it('does not become the newest that was seen by being forged', async () => {
    laptop.gateway.answer(jose(await sign({ ...MANIFEST, issuedAt: inDays(300) }, stranger.privateKey)));
    expect(await codeOf()).toBe('update-not-proven');
    expect(await new NewestRelease(laptop.stateFolder).load()).toBeUndefined();
  });
});

describe('a package that does not come as it was signed', () => {
  const cut: Answer = (response) => {
    response.writeHead(200, { 'content-length': AGENT.length });
    response.write(AGENT.subarray(0, 5), () => response.destroy());
  };
  it.each<[string, Answer, string]>([
    ['other bytes', file(Buffer.from('THE package of the agent')), 'update-unfit'],
    ['fewer bytes', file(AGENT.subarray(1)), 'update-unfit'],
    ['more bytes', file(Buffer.concat([AGENT, Buffer.of(0)])), 'update-unfit'],
    ['a connection that breaks off', cut, 'gateway-unreachable'],
    ['nothing under its hash', refusal('not-found', 404), 'gateway-unreachable'],
  ])('is not installed: %s', async (_, answer, code) => {
    await offer({}, [answer]);
    expect(await codeOf()).toBe(code);
    expect(updater.took).toEqual([]);
    expect(await leftOvers()).toEqual([]);
  });

  it('is not installed when the second of two is wrong', async () => {
    updater.versions = { [NAME]: '0.1.0', [WINDOW]: '0.1.0' };
    await offer({}, [file(AGENT), file(AGENT)]);
    expect(await codeOf()).toBe('update-unfit');
    expect(updater.took).toEqual([]);
  });

  it.each(['disk-full', 'package-manager-busy', 'update-not-installed', 'update-unfit'] as const)(
    'leaves no download when the installation ends with %s, and is tried again',
    async (code) => {
      updater.fails = new KiwiError(code);
      await offer();
      expect(await codeOf()).toBe(code);
      expect(await leftOvers()).toEqual([]);
      updater.fails = undefined;
      await offer();
      expect(await codeOf()).toBe('updated');
    },
  );
});

describe('the rollout', () => {
  const ids = Array.from({ length: 2000 }, (_, index) => `device-${index}`);
  it('reaches about as many laptops as it says, others with each version, and never fewer by growing', () => {
    const first = ids.filter((id) => rolloutBucket('0.2.0', id) < 10);
    expect(first.length).toBeGreaterThan(140);
    expect(first.length).toBeLessThan(260);
    const next = ids.filter((id) => rolloutBucket('0.3.0', id) < 10);
    expect(next.filter((id) => first.includes(id)).length).toBeLessThan(60);
    expect(ids.every((id) => rolloutBucket('0.2.0', id) < 100)).toBe(true);
  });

  it('gives a laptop the same place every day', () => {
    expect(rolloutBucket('0.2.0', 'device-1')).toBe(rolloutBucket('0.2.0', 'device-1'));
  });
});

it('keeps what it has seen privately', async () => {
  await offer();
  await update(laptop.context);
  expect(JSON.parse(await readFile(path.join(laptop.stateFolder, 'releases.json'), 'utf8'))).toEqual({
    version: 1,
    issuedAt: MANIFEST.issuedAt,
  });
});
