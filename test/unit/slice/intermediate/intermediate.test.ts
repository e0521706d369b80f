import { createPrivateKey } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { toKiwiError } from '../../../../src/core/errors.ts';
import { parseCertificate, type Certificate } from '../../../../src/pki/certificate.ts';
import { verifyChain } from '../../../../src/pki/chain.ts';
import { confinementFault, CONFINED_USAGES, confinementOf } from '../../../../src/pki/confinement.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { NAME_CONSTRAINTS, renderNameConstraints } from '../../../../src/pki/name-constraints.ts';
import { checkCaConfig } from '../../../../src/slice/ca/check-ca-config.ts';
import { readSliceConfig } from '../../../../src/slice/config/slice-config.ts';
import { loadIdentity } from '../../../../src/slice/config/slice-identity.ts';
import { sliceNotices } from '../../../../src/slice/config/slice-notices.ts';
import type { SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { installAnswer } from '../../../../src/slice/intermediate/install-answer.ts';
import { requestIntermediate } from '../../../../src/slice/intermediate/request-intermediate.ts';
import { signRequest } from '../../../../src/provider/sign-request.ts';
import { issue, makeEnrollmentKey, makeRoot, NOW, type Authority } from '../../pki/test-authority.ts';
import { clock, newSlice } from './new-slice.ts';

const certificateIn = async (file: string): Promise<Certificate> => parseCertificate(await readFile(file, 'utf8'));
const fault = (error: unknown): string => `${toKiwiError(error).code}: ${toKiwiError(error).detail ?? ''}`;
const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', fault);

/** The files of a provider whose root key is elsewhere. */
async function provider(folder: string): Promise<Authority & { certificateFile: string; keyFile: string }> {
  const root = await makeRoot('Provider root');
  const files = { certificateFile: path.join(folder, 'provider.crt'), keyFile: path.join(folder, 'provider.key') };
  await writeFile(files.certificateFile, root.certificate.pem);
  await writeFile(files.keyFile, root.key.export({ type: 'pkcs8', format: 'pem' }));
  return { ...root, ...files };
}

async function requestAt(paths: SlicePaths): Promise<string> {
  const file = path.join(path.dirname(paths.dir), 'request.json');
  await writeFile(file, (await requestIntermediate(paths.dir)).text);
  return file;
}

describe('a slice that init has made', () => {
  test('has an intermediate for its own names only', async () => {
    const { ca, msp, gateway, ...paths } = await newSlice();
    const intermediate = await certificateIn(ca.certificate);
    expect(confinementFault(intermediate)).toBeUndefined();
    expect(intermediate.extension(NAME_CONSTRAINTS)).toEqual(
      renderNameConstraints(
        confinementOf({
          domains: ['corp.acme.example'],
          networks: ['10.77.0.1/32', '10.77.0.0/24', '10.77.1.0/24'],
        }),
      ),
    );
    const roots = [await certificateIn(msp.certificate)];
    verifyChain({ leaf: await certificateIn(gateway.certificate), intermediate, roots, at: NOW });
    expect(await sliceNotices({ ca, msp, gateway, ...paths }, await readSliceConfig(paths.dir), NOW)).toEqual([]);
  });

  test('is not made for networks or domains that limit nothing', async () => {
    expect(await failure(newSlice({ insideCidrs: ['10.77.0.0/24', '0.0.0.0/1'] }))).toMatch(/^usage: .*addresses/);
  });
});

describe('a slice under the root of a provider that has one', () => {
  let paths: SlicePaths;
  let root: Awaited<ReturnType<typeof provider>>;
  let answer: string;
  beforeAll(async () => {
    root = await provider(path.dirname((await newSlice()).dir));
    paths = await newSlice({ rootCertificateFile: root.certificateFile });
    answer = path.join(path.dirname(paths.dir), 'answer.pem');
  });

  test('has no root key, and says that it is not finished', async () => {
    expect(await failure(readFile(paths.msp.key))).toContain('ENOENT');
    expect(await failure(loadIdentity(paths))).toContain('slice-unfinished');
  });

  test('runs with what the provider signed', async () => {
    const files = { request: await requestAt(paths), rootCertificate: root.certificateFile, rootKey: root.keyFile };
    const signed = await signRequest(files, clock);
    expect(signed.scope).toMatchObject({ domains: ['corp.acme.example'], customer: { slug: 'acme' } });
    expect(signed.keyDigest).toBe((await requestIntermediate(paths.dir)).keyDigest);
    await writeFile(answer, signed.answer);
    await installAnswer(paths.dir, answer, clock);

    const { intermediate, grantCertificate: leaf } = await loadIdentity(paths);
    verifyChain({ leaf, intermediate, roots: [root.certificate], at: NOW });
    checkCaConfig(await readFile(paths.ca.config, 'utf8'), await readSliceConfig(paths.dir), leaf);
  });

  test.each([
    ['a request that is none', '{}', 'file-unusable'],
    ['a request for a top-level domain', { domains: ['com'] }, 'file-unusable: .*domains'],
    ['a request for the whole internet', { networks: ['0.0.0.0/0'] }, 'usage: .*addresses'],
    ['a request whose key did not sign it', { csr: 'x' }, 'usage: --request'],
  ])('is not signed for by %s', async (_, changes, why) => {
    const text = await readFile(await requestAt(paths), 'utf8');
    const request = path.join(path.dirname(paths.dir), 'bad.json');
    const changed = typeof changes === 'string' ? changes : JSON.stringify({ ...JSON.parse(text), ...changes });
    await writeFile(request, changed);
    const files = { request, rootCertificate: root.certificateFile, rootKey: root.keyFile };
    expect(await failure(signRequest(files, clock))).toMatch(new RegExp(`^${why}`));
  });

  test.each(['--root-key', '--root-certificate'] as const)('is not signed with another %s', async (option) => {
    const other = await provider(path.dirname((await newSlice()).dir));
    const leaf = path.join(path.dirname(other.keyFile), 'leaf.pem');
    await writeFile(leaf, (await issue('leaf', { issuer: root })).certificate.pem);
    const request = await requestAt(paths);
    const good = { request, rootCertificate: root.certificateFile, rootKey: root.keyFile };
    const bad = option === '--root-key' ? { rootKey: other.keyFile } : { rootCertificate: leaf };
    expect(await failure(signRequest({ ...good, ...bad }, clock))).toContain(option);
  });
});

describe('a slice from before there were name constraints', () => {
  let paths: SlicePaths;
  let root: Authority;
  let old: Certificate;
  let yubikey: Certificate;
  let answer: string;
  const rootFiles = (): { rootCertificate: string; rootKey: string } => ({
    rootCertificate: paths.msp.certificate,
    rootKey: paths.msp.key,
  });

  beforeAll(async () => {
    paths = await newSlice();
    answer = path.join(path.dirname(paths.dir), 'answer.pem');
    root = {
      certificate: await certificateIn(paths.msp.certificate),
      key: createPrivateKey(await readFile(paths.msp.key)),
    };
    // As init made it: the same key and subject, and no limits.
    const key = createPrivateKey(await readFile(paths.ca.key));
    const subject = { cn: 'KiwiStack acme intermediate', o: 'Acme GmbH' };
    ({ certificate: old } = await issue('', { subject, key, issuer: root, ca: { pathLength: 0 } }));
    await writeFile(paths.ca.certificate, old.pem);
    const json = await readFile(paths.ca.config, 'utf8');
    await writeFile(
      paths.ca.config,
      json.replace('\\"uris\\"', '\\"dnsNames\\": [{{ toJson .Token.device.host }}],\\n  \\"uris\\"'),
    );
    yubikey = (await makeEnrollmentKey({ certificate: old, key })).certificate;
  });

  test('is warned of', async () => {
    const notices = await sliceNotices(paths, await readSliceConfig(paths.dir), NOW);
    expect(notices).toMatchObject([{ code: 'unconfined', failing: false }]);
    expect(notices[0]?.text).toContain('intermediate request');
  });

  test('takes a new intermediate with its own key, under which what the old one issued stays valid', async () => {
    const signed = await signRequest({ request: await requestAt(paths), ...rootFiles() }, clock);
    await writeFile(answer, signed.answer);
    const grant = await readFile(paths.gateway.certificate, 'utf8');
    await installAnswer(paths.dir, answer, clock);
    await installAnswer(paths.dir, answer, clock); // repeated, it changes nothing

    const intermediate = await certificateIn(paths.ca.certificate);
    expect(intermediate.spki).toEqual(old.spki);
    expect(intermediate.subjectDer).toEqual(old.subjectDer);
    expect(confinementFault(intermediate)).toBeUndefined();
    verifyChain({ leaf: yubikey, intermediate, roots: [root.certificate], at: NOW });
    expect(await readFile(paths.gateway.certificate, 'utf8')).toBe(grant);
    expect((await certificateIn(paths.ca.previous)).der).toEqual(old.der);
    expect(await readFile(paths.ca.config, 'utf8')).not.toContain('dnsNames\\"');
    expect(await sliceNotices(paths, await readSliceConfig(paths.dir), NOW)).toEqual([]);
  });

  const scope = { domains: ['corp.acme.example'], networks: ['10.77.0.0/24'] };
  const limits = (names = scope): object => ({
    ca: { pathLength: 0 },
    extendedKeyUsages: CONFINED_USAGES,
    extensions: [{ oid: NAME_CONSTRAINTS, value: renderNameConstraints(confinementOf(names)), critical: true }],
  });
  const subject = { cn: 'KiwiStack acme intermediate', o: 'Acme GmbH' };
  test.each([
    ['for another key', { subject, ...limits(), key: generateP256() }, 'another key'],
    ['for another customer', { subject: { ...subject, o: 'Beta' }, ...limits() }, 'another customer'],
    ['without limits', { subject, ca: { pathLength: 0 } }, 'key usages'],
    [
      'that does not permit the address of step-ca',
      { subject, ...limits({ ...scope, networks: ['10.78.0.0/24'] }) },
      'leaf: name',
    ],
    [
      'that is over',
      { subject, ...limits(), notBefore: new Date(0), notAfter: new Date(NOW.getTime() - 1) },
      'expired',
    ],
  ])('refuses an answer %s', async (_, changes, why) => {
    const before = await readFile(paths.ca.certificate, 'utf8');
    const key = createPrivateKey(await readFile(paths.ca.key));
    const { certificate } = await issue('', { key, issuer: root, ...changes });
    await writeFile(answer, certificate.pem + root.certificate.pem);
    expect(await failure(installAnswer(paths.dir, answer, clock))).toMatch(
      new RegExp(`^intermediate-refused: .*${why}`),
    );
    expect(await readFile(paths.ca.certificate, 'utf8')).toBe(before);
  });

  test('refuses an answer under another root, and a file that is none', async () => {
    const other = await makeRoot('KiwiStack MSP root');
    const key = createPrivateKey(await readFile(paths.ca.key));
    const { certificate } = await issue('', { subject, key, issuer: other, ...limits() });
    await writeFile(answer, certificate.pem + other.certificate.pem);
    expect(await failure(installAnswer(paths.dir, answer, clock))).toContain(
      'intermediate-refused: under another root',
    );
    await writeFile(answer, certificate.pem);
    expect(await failure(installAnswer(paths.dir, answer, clock))).toContain(
      'intermediate-refused: intermediate: unknown-root',
    );
    await writeFile(answer, 'nothing');
    expect(await failure(installAnswer(paths.dir, answer, clock))).toContain('usage: --in');
    await rm(answer);
    expect(await failure(installAnswer(paths.dir, answer, clock))).toContain('file-unusable: --in');
  });
});
