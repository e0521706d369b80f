import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { DAY } from '../../../src/pki/issue.ts';
import {
  issueRevocationList,
  newestLists,
  readRevocationList,
  RevocationListError,
  revocationListPem,
  revocationListsIn,
  type RevocationList,
} from '../../../src/pki/revocation-list.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { issue, makeGateway, makeIntermediate, makeRoot, NOW, type Authority } from './test-authority.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'kiwi-crl-'));
const inFile = (name: string, text: string): string => {
  writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
};
const openssl = (...args: string[]): string => {
  try {
    return execFileSync('/usr/bin/openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    return String((error as { stderr?: string }).stderr);
  }
};

let root: Authority;
let old: Authority;
let next: Authority;
let list: RevocationList;
const listOf = (issuer: Authority, number: number, revoked: readonly Authority[]): Promise<RevocationList> =>
  issueRevocationList({
    ...{ issuer: issuer.certificate, signer: keySigner(issuer.key), number },
    ...{ thisUpdate: NOW, nextUpdate: new Date(NOW.getTime() + 365 * DAY) },
    revoked: revoked.map(({ certificate }) => ({
      serialHex: certificate.serialHex,
      at: NOW,
      reason: 'key-compromise' as const,
    })),
  });

beforeAll(async () => {
  root = await makeRoot();
  [old, next] = [await makeIntermediate(root), await makeIntermediate(root)];
  list = await listOf(root, 7, [old]);
});

describe('a revocation list', () => {
  test('is taken for that of a place only when it says so', () => {
    expect(() => readRevocationList(list.der, { point: 'http://10.77.0.1:9080/crl' })).toThrow('another scope');
    expect(() => readRevocationList(list.der, { maxBytes: 100 })).toThrow('too large');
  });

  test('says what it takes back, and of whom', () => {
    expect(list).toMatchObject({
      number: 7,
      revoked: [{ serialHex: old.certificate.serialHex, reason: 'key-compromise' }],
    });
    expect(list.revoked[0]?.at).toEqual(NOW);
    expect([old, next].map(({ certificate }) => list.revokes(certificate))).toEqual([true, false]);
    expect(list.isSignedBy(root.certificate)).toBe(true);
  });

  test('takes back nothing of another root with the same serial numbers', async () => {
    const other = await makeRoot('Another root');
    expect((await listOf(other, 9, [old])).revokes(old.certificate)).toBe(false);
  });

  test('is the same after a file, and one of several in it', async () => {
    const pem = revocationListPem(list);
    expect(readRevocationList(pem).der).toEqual(list.der);
    const other = await makeRoot('Another root');
    const both = `${root.certificate.pem}${pem}${revocationListPem(await listOf(other, 1, []))}`;
    expect(revocationListsIn(both).map(({ number }) => number)).toEqual([7, 1]);
    expect(newestLists([...revocationListsIn(both), await listOf(root, 6, [])], [root.certificate])).toHaveLength(1);
    expect(newestLists([list, await listOf(root, 8, [])], [root.certificate])[0]?.number).toBe(8);
  });

  test('is not by whoever holds the intermediate that it takes back', async () => {
    expect((await listOf(old, 99, [next])).isSignedBy(root.certificate)).toBe(false);
    const namesake = await makeRoot();
    expect(namesake.certificate.subjectDer).toEqual(root.certificate.subjectDer);
    expect((await listOf(namesake, 99, [])).isSignedBy(root.certificate)).toBe(false);
    expect(newestLists([await listOf(namesake, 99, []), list], [root.certificate])[0]?.number).toBe(7);
  });

  test.each([
    ['cut off', (der: Buffer) => der.subarray(0, -3)],
    ['with bytes behind it', (der: Buffer) => Buffer.concat([der, Buffer.of(0)])],
    ['of version 1', (der: Buffer) => Buffer.from(der.toString('hex').replace('020101', '020100'), 'hex')],
    [
      'with RSA',
      (der: Buffer) => Buffer.from(der.toString('hex').replace('2a8648ce3d040302', '2a8648ce3d040301'), 'hex'),
    ],
    // The first extension, made critical, would be a TLV more; a boolean in place of its identifier is no extension.
    ['that is no list', () => Buffer.from('3003020101', 'hex')],
    ['that is too large', () => Buffer.alloc(5000, 0x30)],
  ])('%s is refused', (_, bend) => {
    expect(() => readRevocationList(bend(list.der))).toThrow(RevocationListError);
  });

  test('that anybody changed is not signed any more', () => {
    const serial = old.certificate.serialHex;
    const changed = list.der.toString('hex').replace(serial, next.certificate.serialHex);
    const read = readRevocationList(Buffer.from(changed, 'hex'));
    expect(read.revokes(next.certificate)).toBe(true);
    expect(read.isSignedBy(root.certificate)).toBe(false);
  });

  test('refuses a chain in OpenSSL, and lets the next one be', async () => {
    const files = { root: inFile('root.pem', root.certificate.pem), list: inFile('root.crl', revocationListPem(list)) };
    const at = ['-attime', `${NOW.getTime() / 1000 + 60}`];
    const outcomes = [];
    for (const [name, intermediate] of Object.entries({ old, next })) {
      const leaf = await makeGateway(intermediate);
      const below = await issueRevocationList({
        ...{ issuer: intermediate.certificate, signer: keySigner(intermediate.key), number: 1, revoked: [] },
        ...{ thisUpdate: NOW, nextUpdate: new Date(NOW.getTime() + DAY) },
      });
      const chain = inFile(`${name}.pem`, intermediate.certificate.pem);
      const lists = inFile(`${name}.crl`, revocationListPem(list) + revocationListPem(below));
      const checks = ['-crl_check_all', '-CRLfile', lists, '-CAfile', files.root, '-untrusted', chain];
      outcomes.push(openssl('verify', ...at, ...checks, inFile('leaf.pem', leaf.certificate.pem)));
    }
    expect(outcomes[0]).toContain('certificate revoked');
    expect(outcomes[1]).toContain(': OK');
    const text = openssl('crl', '-in', files.list, '-noout', '-text');
    expect(text).toMatch(/X509v3 CRL Number:\s*7/);
    expect(text).toContain('Key Compromise');
    expect(openssl('crl', '-in', files.list, '-noout', '-CAfile', files.root)).not.toContain('failure');
  });
});

test('a certificate can be signed by a key that is not in memory', async () => {
  const { certificate } = await issue('elsewhere', {
    issuer: { certificate: root.certificate, signer: keySigner(root.key) },
  });
  expect(certificate.isSignedBy(root.certificate)).toBe(true);
  const { certificate: self } = await issue('self', { selfSigner: keySigner(old.key), key: old.key });
  expect(self.isSignedBy(self)).toBe(true);
});
