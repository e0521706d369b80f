import { createPrivateKey, createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import type { Clock } from '../../../../src/core/clock.ts';
import { toKiwiError } from '../../../../src/core/errors.ts';
import { parseCertificate, type Certificate } from '../../../../src/pki/certificate.ts';
import { verifyChain } from '../../../../src/pki/chain.ts';
import { DAY, type Issuer } from '../../../../src/pki/issue.ts';
import { revocationListPem } from '../../../../src/pki/revocation-list.ts';
import { revoke } from '../../../../src/provider/revoke.ts';
import { openRequest, signOpened } from '../../../../src/provider/sign-request.ts';
import { checkCaConfig } from '../../../../src/slice/ca/check-ca-config.ts';
import { readSliceConfig } from '../../../../src/slice/config/slice-config.ts';
import { loadIdentity, READY } from '../../../../src/slice/config/slice-identity.ts';
import type { SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { replaceIntermediate, type Replaced } from '../../../../src/slice/intermediate/replace-intermediate.ts';
import { requestIntermediate } from '../../../../src/slice/intermediate/request-intermediate.ts';
import { takeRootList } from '../../../../src/slice/intermediate/take-root-list.ts';
import { openRegistry } from '../../../../src/slice/open-registry.ts';
import { NOW } from '../../pki/test-authority.ts';
import { newSlice } from './new-slice.ts';

const LATER = new Date(NOW.getTime() + 60_000);
const later: Clock = { now: () => LATER.getTime(), monotonic: () => 0, sleep: () => Promise.resolve() };
const certificateIn = async (file: string): Promise<Certificate> => parseCertificate(await readFile(file, 'utf8'));
const failure = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => `${toKiwiError(error).code}: ${toKiwiError(error).detail ?? ''}`,
  );

let paths: SlicePaths;
let old: Certificate;
let issuer: Issuer;
const file = (name: string): string => path.join(path.dirname(paths.dir), name);

/** What the provider sends back for a request. */
async function answered(now = LATER): Promise<string> {
  await writeFile(file('request.json'), (await requestIntermediate(paths.dir, { newKey: true })).text);
  await writeFile(file('answer.pem'), (await signOpened(await openRequest(file('request.json')), issuer, now)).answer);
  return file('answer.pem');
}

async function listed(certificates: readonly Certificate[], name = 'root.crl'): Promise<string> {
  const entries = certificates.map((certificate) => ({ certificate, reason: 'key-compromise' as const }));
  const list = await revoke(issuer, undefined, entries, { now: LATER, nextUpdate: new Date(LATER.getTime() + DAY) });
  await writeFile(file(name), revocationListPem(list));
  return file(name);
}

const replace = async (more: { list?: string } = {}): Promise<Replaced> =>
  replaceIntermediate(paths.dir, { answer: await answered(), ...more }, later);

beforeEach(async () => {
  paths = await newSlice();
  old = await certificateIn(paths.ca.certificate);
  issuer = {
    certificate: await certificateIn(paths.msp.certificate),
    key: createPrivateKey(await readFile(paths.msp.key)),
  };
});

describe('an intermediate with a new key', () => {
  test('takes the place of the old one, and all keys beside it are new', async () => {
    const keys = [paths.ca.key, paths.gateway.key, paths.gateway.provisionerKey, paths.operator.provisionerKey];
    const before = await Promise.all(keys.map((key) => readFile(key, 'utf8')));
    const done = await replace({ list: await listed([old]) });
    expect(done).toMatchObject({ revoked: true, rekey: { by: 'itself', hours: 168 } });
    expect(done.old?.der).toEqual(old.der);
    const after = await Promise.all(keys.map((key) => readFile(key, 'utf8')));
    expect(after.filter((key, at) => key === before[at])).toEqual([]);

    const { intermediate, grantCertificate: leaf, mspRoot, rootList, replacedAt } = await loadIdentity(paths);
    expect(intermediate.spki.equals(old.spki)).toBe(false);
    expect(intermediate.subjectDer).toEqual(old.subjectDer);
    expect(intermediate.notBefore > old.notBefore).toBe(true);
    verifyChain({ leaf, intermediate, roots: [mspRoot], at: LATER });
    expect([old, intermediate].map((each) => rootList?.revokes(each))).toEqual([true, false]);
    expect(replacedAt).toBe(LATER.getTime());
    checkCaConfig(await readFile(paths.ca.config, 'utf8'), await readSliceConfig(paths.dir), leaf);
    expect(existsSync(paths.ca.next)).toBe(false);
    expect((await certificateIn(paths.ca.previous)).der).toEqual(old.der);
    const registry = openRegistry(paths);
    expect(await registry.listAudit(1)).toMatchObject([{ action: 'intermediate.replace', decision: 'allowed' }]);
    registry.close();
  });

  test('counts from the next whole second, as certificates do, and is done no earlier', async () => {
    let now = LATER.getTime() + 300;
    const sleep = (ms: number): Promise<void> => ((now += ms), Promise.resolve());
    await replaceIntermediate(paths.dir, { answer: await answered() }, { ...later, now: () => now, sleep });
    const { replacedAt } = await loadIdentity(paths);
    expect([replacedAt, now]).toEqual([LATER.getTime() + 1000, LATER.getTime() + 1000]);
  });

  test('is asked for with one key, however often', async () => {
    const digests = await Promise.all(
      [1, 2].map(async () => (await requestIntermediate(paths.dir, { newKey: true })).keyDigest),
    );
    expect(digests[0]).not.toBe((await requestIntermediate(paths.dir)).keyDigest);
    expect(await failure(replace())).toBe('done');
    expect(await failure(replaceIntermediate(paths.dir, { answer: file('answer.pem') }, later))).toMatch(
      /^usage: there is no new key/,
    );
  });

  test('that was interrupted keeps the slice from starting, and is completed by the same command', async () => {
    const answer = await answered();
    // The machine stops in the middle of it: everything is prepared, nothing is moved.
    const stops = (): number => {
      if (existsSync(path.join(paths.ca.next, READY))) throw new Error('the power is gone');
      return LATER.getTime();
    };
    await expect(replaceIntermediate(paths.dir, { answer }, { ...later, now: stops })).rejects.toThrow('the power');
    expect(await failure(loadIdentity(paths))).toMatch(/^slice-unfinished: the change of the intermediate/);
    // And some of it.
    await rename(path.join(paths.ca.next, 'intermediate.key'), paths.ca.key);
    await rename(path.join(paths.ca.next, 'grant.key'), paths.gateway.key);
    expect(await failure(loadIdentity(paths))).toMatch(/^slice-unfinished/);
    await replaceIntermediate(paths.dir, { answer }, later);
    expect(existsSync(paths.ca.next)).toBe(false);
    const { intermediate, grantCertificate: leaf, mspRoot } = await loadIdentity(paths);
    verifyChain({ leaf, intermediate, roots: [mspRoot], at: LATER });
    expect(createPublicKey(createPrivateKey(await readFile(paths.gateway.key))).equals(leaf.publicKey)).toBe(true);
    expect(createPublicKey(createPrivateKey(await readFile(paths.ca.key))).equals(intermediate.publicKey)).toBe(true);
  });

  test('is refused for what would not serve, and nothing is changed', async () => {
    const before = await readFile(paths.config, 'utf8');
    expect(await failure(replaceIntermediate(paths.dir, { answer: await answered(NOW) }, later))).toContain(
      'intermediate-refused: not newer than the one',
    );
    expect(await failure(replace({ list: await listed([]) }))).toContain('does not take back the old one');
    const wrong = await listed([old, await certificateIn(paths.ca.certificate)]);
    const fresh = parseCertificate(
      (await readFile(await answered(), 'utf8')).split(/(?<=END CERTIFICATE-----\n)/)[0] ?? '',
    );
    expect(
      await failure(
        replaceIntermediate(paths.dir, { answer: file('answer.pem'), list: await listed([old, fresh]) }, later),
      ),
    ).toContain('the list has taken it back');
    await writeFile(file('plain.json'), (await requestIntermediate(paths.dir)).text);
    await writeFile(
      file('answer.pem'),
      (await signOpened(await openRequest(file('plain.json')), issuer, LATER)).answer,
    );
    expect(await failure(replaceIntermediate(paths.dir, { answer: file('answer.pem'), list: wrong }, later))).toContain(
      'intermediate-refused: for another key',
    );
    expect(await readFile(paths.config, 'utf8')).toBe(before);
    expect((await loadIdentity(paths)).intermediate.der).toEqual(old.der);
  });
});

describe('a slice that takes the provider’s list', () => {
  test('does not run with an intermediate that is on it', async () => {
    await writeFile(paths.ca.rootList, await readFile(await listed([old])));
    expect(await failure(loadIdentity(paths))).toMatch(/^intermediate-refused: the provider has taken it back/);
  });

  test('takes no such list, no older one, and none of another root', async () => {
    expect(await failure(takeRootList(paths.dir, await listed([old])))).toMatch(/^intermediate-refused/);
    await takeRootList(paths.dir, await listed([]));
    expect((await loadIdentity(paths)).rootList?.number).toBe(1);
    const other = await newSlice();
    expect(await failure(takeRootList(other.dir, file('root.crl')))).toMatch(/^file-unusable: .*not a list of/);
  });
});
