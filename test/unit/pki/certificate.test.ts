import { createPublicKey, webcrypto } from 'node:crypto';

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { CertificateError, parseCertificate, parsePemBundle } from '../../../src/pki/certificate.ts';
import { issueCertificate } from '../../../src/pki/issue.ts';
import { generateP256, spkiDer } from '../../../src/pki/keys.ts';
import { deviceUri, EKU, enrollmentNames, enrollmentUri } from '../../../src/pki/roles.ts';
import * as x509 from '../../../src/pki/x509.ts';
import { makeEnrollmentKey, makeIntermediate, makeRoot, NOW, type Authority } from './test-authority.ts';

let root: Authority;
let intermediate: Authority;
let leaf: Authority;
beforeAll(async () => {
  root = await makeRoot();
  intermediate = await makeIntermediate(root);
  leaf = await makeEnrollmentKey(intermediate);
});

describe('a certificate', () => {
  it('is read from DER and PEM alike', () => {
    const { der, pem } = leaf.certificate;
    for (const parsed of [parseCertificate(der), parseCertificate(pem), parseCertificate(new Uint8Array(der))]) {
      expect(parsed.der.equals(der)).toBe(true);
      expect(parsed.pem).toBe(pem);
      expect(parsed.subject).toEqual({ cn: 'KiwiStack enrollment 12345678', o: 'Acme GmbH', ou: 'engineer' });
      expect(parsed.extendedKeyUsages).toEqual([EKU.enrollmentKey]);
      expect(parsed.sanUris).toEqual(['urn:kiwistack:customer:acme', 'https://enroll.acme.example']);
      expect(parsed.isCa).toBe(false);
      expect(parsed.keyUsage).toBe(x509.KeyUsageFlags.digitalSignature);
      expect(parsed.spki.equals(spkiDer(leaf.key))).toBe(true);
      expect(parsed.criticalOids.toSorted()).toEqual(['2.5.29.15', '2.5.29.19']);
    }
    expect(root.certificate).toMatchObject({ isCa: true, pathLength: 1 });
    expect(intermediate.certificate).toMatchObject({ isCa: true, pathLength: 0 });
  });

  it('has the serial number in lower-case hex without leading zero octets', () => {
    expect(leaf.certificate.serialHex).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  it('is signed by its issuer’s key and by no other', () => {
    expect(leaf.certificate.isSignedBy(intermediate.certificate)).toBe(true);
    expect(leaf.certificate.isSignedBy(root.certificate)).toBe(false);
    expect(leaf.certificate.issuerDer.equals(intermediate.certificate.subjectDer)).toBe(true);
  });

  it('is none when a byte of it is missing, too many, or it is something else', () => {
    const { der, pem } = leaf.certificate;
    for (const data of [
      der.subarray(0, -1),
      Buffer.concat([der, Buffer.from([0])]),
      Buffer.concat([der, der]),
      Buffer.alloc(0),
      Buffer.from(pem.slice(20)),
      '',
      'no certificate',
      `${pem}${pem}`,
      `${pem}${root.certificate.pem}`,
      pem.replaceAll('CERTIFICATE', 'PUBLIC KEY'),
    ]) {
      expect(() => parseCertificate(data)).toThrow(CertificateError);
    }
  });

  it('is refused when it has an extension twice', async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=twice',
      notBefore: NOW,
      notAfter: NOW,
      keys,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [new x509.BasicConstraintsExtension(false), new x509.BasicConstraintsExtension(true, 0)],
    });
    expect(() => parseCertificate(Buffer.from(made.rawData))).toThrow(CertificateError);
  });

  it('has no name of a kind that occurs twice: either could be meant', async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'O=Acme GmbH, O=Evil Ltd, CN=x',
      notBefore: NOW,
      notAfter: NOW,
      keys,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    });
    expect(parseCertificate(Buffer.from(made.rawData)).subject).toEqual({ cn: 'x' });
  });

  it('is none when its signature has unused bits: OpenSSL would read another certificate than the one that came', () => {
    const changed = Buffer.from(leaf.certificate.der);
    // BIT STRING: no unused bits, then the SEQUENCE of r and s.
    const bits = changed.lastIndexOf(Buffer.from([0, 0x30]), changed.length - 68);
    expect(bits).toBeGreaterThan(0);
    changed[bits] = 3;
    // One signature in eight ends with three zero bits, which may be unused.
    changed[changed.length - 1] = (changed.at(-1) ?? 0) | 1;
    expect(() => parseCertificate(changed)).toThrow(CertificateError);
  });

  it('throws nothing but its own error', () => {
    const { der } = leaf.certificate;
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(der);
        changed[at] = value;
        try {
          expect(parseCertificate(changed).der.equals(changed)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(CertificateError);
        }
      }),
    );
  });
});

describe('a PEM bundle', () => {
  it('gives its certificates in order, whatever is between them', () => {
    const bundle = `# the root\n${root.certificate.pem}\nand\n${leaf.certificate.pem}`;
    expect(parsePemBundle(bundle).map(({ der }) => der)).toEqual([root.certificate.der, leaf.certificate.der]);
    expect(parsePemBundle('')).toEqual([]);
  });

  it('is refused when one of them cannot be read', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    expect(() => parsePemBundle(root.certificate.pem + broken)).toThrow(CertificateError);
  });
});

describe('an issued certificate', () => {
  it('is for the key that was given, also when only its public half is known', async () => {
    const key = generateP256();
    const issued = await issueCertificate({
      subject: { cn: 'public half' },
      key: createPublicKey(key),
      issuer: intermediate,
      notBefore: NOW,
      notAfter: NOW,
    });
    expect(issued.spki.equals(spkiDer(key))).toBe(true);
    expect(issued.isSignedBy(intermediate.certificate)).toBe(true);
  });

  it('never has the serial number of another', async () => {
    const again = await makeRoot();
    expect(again.certificate.serialHex).not.toBe(root.certificate.serialHex);
  });
});

describe('the names in a certificate', () => {
  it('say customer and gateway', () => {
    expect(enrollmentNames(leaf.certificate.sanUris)).toEqual({
      slug: 'acme',
      gatewayUrl: 'https://enroll.acme.example',
    });
    expect(deviceUri('acme', 'd')).toBe('urn:kiwistack:device:acme:d');
  });

  it.each([
    [[]],
    [[enrollmentUri('acme')]],
    [['https://a.example']],
    [[enrollmentUri('acme'), enrollmentUri('evil'), 'https://a.example']],
    [[enrollmentUri('acme'), 'https://a.example', 'https://b.example']],
    [[enrollmentUri('acme'), 'http://a.example']],
    [[enrollmentUri('acme'), 'https://a.example/kiwi']],
    [[enrollmentUri('acme'), 'https://a.example?x']],
    [[enrollmentUri('acme'), 'https://user@a.example']],
    [[enrollmentUri('acme'), 'https://']],
  ])('say nothing when there is not exactly one of each: %j', (uris) => {
    expect(enrollmentNames(uris)).toBeUndefined();
  });

  it('tell every role by another extended key usage, each arc below 2^31 so that Go can read it', () => {
    expect(new Set(Object.values(EKU)).size).toBe(Object.keys(EKU).length);
    for (const oid of Object.values(EKU)) {
      expect(oid.split('.').every((arc) => Number(arc) < 2 ** 31)).toBe(true);
    }
  });
});
