import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { toKiwiError } from '../../../src/core/errors.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { DAY, type Issuer } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import type { IntermediateScope } from '../../../src/provider/issue-intermediate.ts';
import { outsideOf, readPolicy, type ProviderPolicy } from '../../../src/provider/policy.ts';
import { renderRequest } from '../../../src/provider/request-file.ts';
import { revoke } from '../../../src/provider/revoke.ts';
import { openRequest, signOpened, type OpenedRequest } from '../../../src/provider/sign-request.ts';
import { issue, makeIntermediate, makeRoot, NOW, type Authority } from '../pki/test-authority.ts';

const failure = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => `${toKiwiError(error).code}: ${toKiwiError(error).detail ?? ''}`,
  );

const policy: ProviderPolicy = {
  version: 1,
  longestDays: 365,
  customers: [{ slug: 'acme', name: 'Acme GmbH', domains: ['acme.example'] }],
};
const scope: IntermediateScope = {
  customer: { slug: 'acme', name: 'Acme GmbH' },
  domains: ['corp.acme.example'],
  networks: ['10.77.0.0/24'],
};

let folder: string;
let root: Authority;
let issuer: Issuer;
let request: OpenedRequest;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-provider-'));
  root = await makeRoot('Provider root');
  issuer = { certificate: root.certificate, signer: keySigner(root.key) };
  const file = path.join(folder, 'request.json');
  const csr = (await makeCsr(generateP256(), 'KiwiStack acme intermediate')).toString('base64');
  const { customer, domains, networks } = scope;
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${csr}\n-----END CERTIFICATE REQUEST-----\n`;
  await writeFile(
    file,
    renderRequest({ customer: { ...customer }, domains: [...domains], networks: [...networks], csr: pem }),
  );
  request = await openRequest(file);
});

describe('a provider’s policy', () => {
  test.each<[string, Partial<IntermediateScope>, string]>([
    ['another customer', { customer: { slug: 'beta', name: 'Acme GmbH' } }, 'no customer beta'],
    ['another name', { customer: { slug: 'acme', name: 'Beta AG' } }, 'the customer acme is called Acme GmbH'],
    ['a bank’s domain', { domains: ['corp.acme.example', 'www.bank.example'] }, 'domain www.bank.example'],
    ['a domain that ends alike', { domains: ['evilacme.example'] }, 'domain evilacme.example'],
    ['a public network', { networks: ['10.77.0.0/24', '192.0.2.0/24'] }, 'network 192.0.2.0/24'],
    ['a network around a private one', { networks: ['10.0.0.0/7'] }, 'network 10.0.0.0/7'],
  ])('does not allow %s', (_, changes, why) => {
    expect(outsideOf(policy, { ...scope, ...changes })).toEqual([why]);
  });

  test('allows the customer’s own names, and networks that it lists', () => {
    expect(outsideOf(policy, scope)).toEqual([]);
    expect(outsideOf(policy, { ...scope, domains: ['acme.example'] })).toEqual([]);
    const customers = [
      { ...policy.customers[0], slug: 'acme', name: 'Acme GmbH', domains: [], networks: ['192.0.2.0/24'] },
    ];
    expect(outsideOf({ ...policy, customers }, { ...scope, domains: [], networks: ['192.0.2.128/25'] })).toEqual([]);
    expect(outsideOf({ ...policy, customers }, { ...scope, domains: [] })).toEqual(['network 10.77.0.0/24']);
  });

  test('limits the life, whatever is asked for', async () => {
    const signed = await signOpened(request, issuer, NOW, { policy });
    expect(signed.certificate.notAfter.getTime()).toBe(
      Math.min(NOW.getTime() + 365 * DAY, root.certificate.notAfter.getTime()),
    );
    const short = await signOpened(request, issuer, NOW, { policy, days: 30 });
    expect(short.certificate.notAfter.getTime()).toBe(NOW.getTime() + 30 * DAY);
    expect(short.certificate.isSignedBy(root.certificate)).toBe(true);
    expect(await failure(signOpened(request, issuer, NOW, { policy, days: 366 }))).toMatch(
      /^provider-policy-refused: 366 days/,
    );
    const none = { ...policy, customers: [] };
    expect(await failure(signOpened(request, issuer, NOW, { policy: none }))).toBe(
      'provider-policy-refused: no customer acme',
    );
  });

  test.each([
    ['with an unknown field', { ...policy, more: 1 }],
    ['with a life of ten years', { ...policy, longestDays: 3653 }],
    ['with a top-level domain', { ...policy, customers: [{ ...policy.customers[0], domains: ['example'] }] }],
  ])('%s is not read', async (_, content) => {
    const file = path.join(folder, 'policy.json');
    await writeFile(file, JSON.stringify(content));
    expect(await failure(readPolicy(file))).toMatch(/^file-unusable/);
  });
});

describe('a root’s revocation list', () => {
  const times = { now: NOW, nextUpdate: new Date(NOW.getTime() + 365 * DAY) };

  test('only ever grows, and its number with it', async () => {
    const [first, second] = [await makeIntermediate(root), await makeIntermediate(root)];
    const one = await revoke(issuer, undefined, [{ certificate: first.certificate, reason: 'key-compromise' }], times);
    const two = await revoke(
      issuer,
      one,
      [{ certificate: second.certificate, reason: 'cessation-of-operation' }],
      times,
    );
    expect([one.number, two.number]).toEqual([1, 2]);
    expect([first, second].map(({ certificate }) => two.revokes(certificate))).toEqual([true, true]);
    const three = await revoke(issuer, two, [{ certificate: first.certificate, reason: 'superseded' }], times);
    expect(three.revoked).toEqual(two.revoked);
    expect(three.number).toBe(3);
  });

  test('takes nothing that is not of this root, and goes on from no other list', async () => {
    const other = await makeRoot('Another root');
    const { certificate } = await makeIntermediate(other);
    expect(await failure(revoke(issuer, undefined, [{ certificate, reason: 'superseded' }], times))).toContain(
      'usage: --certificate was not issued',
    );
    const self = [{ certificate: root.certificate, reason: 'superseded' as const }];
    expect(await failure(revoke(issuer, undefined, self, times))).toContain('the root itself');
    const theirs = await revoke({ certificate: other.certificate, key: other.key }, undefined, [], times);
    expect(await failure(revoke(issuer, theirs, [], times))).toContain('usage: --list');
  });

  test('is not made larger than what fits into an answer to a laptop', async () => {
    const small = generateP256();
    const many = await Promise.all(Array.from({ length: 110 }, () => issue('', { issuer: root, key: small })));
    const certificates = many.map(({ certificate }) => ({ certificate, reason: 'superseded' as const }));
    expect(await failure(revoke(issuer, undefined, certificates, times))).toMatch(/^usage: .* 4096 bytes/);
  });
});
