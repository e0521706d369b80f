import { webcrypto, type KeyObject } from 'node:crypto';

import { beforeAll, describe, expect, it } from 'vitest';

import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { ChainError, verifyChain } from '../../../src/pki/chain.ts';
import { DAY, YEAR } from '../../../src/pki/issue.ts';
import { generateP256, spkiDer } from '../../../src/pki/keys.ts';
import * as x509 from '../../../src/pki/x509.ts';
import { issue, makeEnrollmentKey, makeIntermediate, makeRoot, NOW, type Authority } from './test-authority.ts';

let root: Authority;
let intermediate: Authority;
let leaf: Authority;
beforeAll(async () => {
  root = await makeRoot();
  intermediate = await makeIntermediate(root);
  leaf = await makeEnrollmentKey(intermediate);
});

interface Chain {
  readonly leaf?: Authority;
  readonly intermediate?: Authority;
  readonly roots?: readonly Authority[];
  readonly at?: Date;
}

const verify = (changes: Chain = {}): { root: Certificate } =>
  verifyChain({
    leaf: (changes.leaf ?? leaf).certificate,
    intermediate: (changes.intermediate ?? intermediate).certificate,
    roots: (changes.roots ?? [root]).map(({ certificate }) => certificate),
    at: changes.at ?? NOW,
  });

function reason(changes: Chain): string {
  try {
    verify(changes);
  } catch (error) {
    if (error instanceof ChainError) return error.message;
    throw error;
  }
  return 'taken';
}

/** A certificate with extensions that `issueCertificate` does not make. */
async function withExtensions(
  subject: string,
  issuer: Authority,
  key: KeyObject,
  extensions: x509.Extension[],
): Promise<Authority> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const pkcs8 = issuer.key.export({ type: 'pkcs8', format: 'der' });
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer: new x509.Name(issuer.certificate.subjectDer),
    notBefore: new Date(NOW.getTime() - DAY),
    notAfter: new Date(NOW.getTime() + DAY),
    publicKey: await webcrypto.subtle.importKey('spki', spkiDer(key), algorithm, true, ['verify']),
    signingKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions,
  });
  return { certificate: parseCertificate(Buffer.from(made.rawData)), key };
}

const { KeyUsageFlags: Usage } = x509;

describe('a chain', () => {
  it('of leaf, intermediate and pinned root is accepted, and tells which root it ends at', async () => {
    const other = await makeRoot('Another root');
    expect(verify({ roots: [other, root] }).root).toBe(root.certificate);
  });

  it('is taken from the first to the last moment of its dates, and not outside', () => {
    const { notBefore, notAfter } = leaf.certificate;
    expect(reason({ at: notBefore })).toBe('taken');
    expect(reason({ at: notAfter })).toBe('taken');
    expect(reason({ at: new Date(notBefore.getTime() - 1) })).toContain('not-yet-valid');
    expect(reason({ at: new Date(notAfter.getTime() + 1) })).toContain('expired');
  });

  it('names the certificate that is out of date', async () => {
    const past = { notBefore: new Date(NOW.getTime() - YEAR), notAfter: new Date(NOW.getTime() - DAY) };
    const future = { notBefore: new Date(NOW.getTime() + DAY), notAfter: new Date(NOW.getTime() + YEAR) };
    expect(reason({ leaf: await makeEnrollmentKey(intermediate, past) })).toBe('leaf: expired');
    expect(reason({ leaf: await makeEnrollmentKey(intermediate, future) })).toBe('leaf: not-yet-valid');
    const oldIntermediate = await makeIntermediate(root, 'acme intermediate', past);
    expect(reason({ intermediate: oldIntermediate, leaf: await makeEnrollmentKey(oldIntermediate) })).toBe(
      'intermediate: expired',
    );
    const oldRoot = await makeRoot('Old root', past);
    const below = await makeIntermediate(oldRoot);
    expect(reason({ roots: [oldRoot], intermediate: below, leaf: await makeEnrollmentKey(below) })).toBe(
      'root: expired',
    );
  });

  it('does not end at another root with the same name', async () => {
    const fake = await makeRoot(); // same name, another key
    expect(fake.certificate.subjectDer.equals(root.certificate.subjectDer)).toBe(true);
    expect(reason({ roots: [fake] })).toBe('intermediate: signature');
    const fakeIntermediate = await makeIntermediate(fake);
    expect(reason({ intermediate: fakeIntermediate, leaf: await makeEnrollmentKey(fakeIntermediate) })).toBe(
      'intermediate: signature',
    );
  });

  it('finds the right one of two pinned roots with one name, as there are while a root is replaced', async () => {
    const next = await makeRoot();
    expect(verify({ roots: [next, root] }).root).toBe(root.certificate);
    const below = await makeIntermediate(next);
    expect(verify({ roots: [root, next], intermediate: below, leaf: await makeEnrollmentKey(below) }).root).toBe(
      next.certificate,
    );
  });

  it('under no pinned root is refused', async () => {
    expect(reason({ roots: [] })).toBe('intermediate: unknown-root');
    expect(reason({ roots: [await makeRoot('Another root')] })).toBe('intermediate: unknown-root');
  });

  it('of another customer, with an intermediate of the same name or another, is refused', async () => {
    const twin = await makeIntermediate(root);
    expect(reason({ leaf: await makeEnrollmentKey(twin) })).toBe('leaf: signature');
    const other = await makeIntermediate(root, 'beta intermediate');
    expect(reason({ leaf: await makeEnrollmentKey(other) })).toBe('leaf: issuer-name');
    expect(reason({ intermediate: other })).toBe('leaf: issuer-name');
  });

  it('with the root itself in the place of an intermediate is refused', async () => {
    expect(reason({ intermediate: root, leaf: await makeEnrollmentKey(root) })).toBe('intermediate: issuer-name');
  });

  it('with a CA in the place of a leaf, or a leaf in the place of a CA, is refused', async () => {
    expect(reason({ leaf: await issue('sub CA', { issuer: intermediate, ca: { pathLength: 0 } }) })).toBe(
      'leaf: leaf-is-ca',
    );
    expect(reason({ intermediate: leaf, leaf: await makeEnrollmentKey(leaf) })).toBe('intermediate: unknown-root');
    const noCa = await issue('acme intermediate', { issuer: root });
    expect(reason({ intermediate: noCa, leaf: await makeEnrollmentKey(noCa) })).toBe('intermediate: not-ca');
    const noRoot = await issue('No CA root');
    const below = await makeIntermediate(noRoot);
    expect(reason({ roots: [noRoot], intermediate: below, leaf: await makeEnrollmentKey(below) })).toBe('root: not-ca');
  });

  it('below a root that allows no intermediate is refused', async () => {
    const short = await makeRoot('Short root', { ca: { pathLength: 0 } });
    const below = await makeIntermediate(short);
    expect(reason({ roots: [short], intermediate: below, leaf: await makeEnrollmentKey(below) })).toBe(
      'root: path-length',
    );
  });

  it('with a CA whose key usage does not say that it signs certificates is refused', async () => {
    const ca = new x509.BasicConstraintsExtension(true, 0, true);
    for (const usage of [[], [new x509.KeyUsagesExtension(Usage.digitalSignature, true)]]) {
      const bare = await withExtensions('CN=acme intermediate', root, generateP256(), [ca, ...usage]);
      expect(reason({ intermediate: bare, leaf: await makeEnrollmentKey(bare) })).toBe('intermediate: key-usage');
    }
  });

  it('with a leaf whose key usage is not to sign is refused', async () => {
    const extensions = [new x509.KeyUsagesExtension(Usage.keyEncipherment, true)];
    const encrypting = await withExtensions('CN=x', intermediate, generateP256(), extensions);
    expect(reason({ leaf: encrypting })).toBe('leaf: key-usage');
  });

  it.each(['leaf', 'intermediate'] as const)(
    'with a critical extension that nobody knows in its %s is refused',
    async (where) => {
      const unknown = new x509.Extension('1.2.3.4', true, Buffer.from([5, 0]));
      if (where === 'leaf') {
        expect(reason({ leaf: await withExtensions('CN=x', intermediate, generateP256(), [unknown]) })).toBe(
          'leaf: critical-extension',
        );
        return;
      }
      const ca = [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(Usage.keyCertSign, true),
      ];
      const strange = await withExtensions('CN=acme intermediate', root, generateP256(), [...ca, unknown]);
      expect(reason({ intermediate: strange, leaf: await makeEnrollmentKey(strange) })).toBe(
        'intermediate: critical-extension',
      );
    },
  );
});
