import { createPublicKey, randomBytes, webcrypto, type KeyObject } from 'node:crypto';

import * as x509 from './x509.ts';

import { parseCertificate, type Certificate } from './certificate.ts';
import { generateP256, spkiDer } from './keys.ts';
import { signAgain } from './sign-again.ts';
import type { Signer } from './signer.ts';

/** Lifetimes are counted in whole days: certificates need no calendar. */
export const DAY = 86_400_000;
export const YEAR = 365.25 * DAY;

const CA_USAGE: x509.KeyUsageFlags = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;

/** A CA whose key is in memory, or elsewhere, as in a YubiKey. */
export type Issuer = { readonly certificate: Certificate } & (
  { readonly key: KeyObject; readonly signer?: undefined } | { readonly signer: Signer; readonly key?: undefined }
);

export interface IssueInput {
  readonly subject: { readonly cn: string; readonly o?: string; readonly ou?: string };
  /** The key that the certificate is for: private or public, P-256. */
  readonly key: KeyObject;
  /** The issuer; absent: self-signed with `key`. */
  readonly issuer?: Issuer;
  /** Self-signed with a key that is not in memory: `key` is its public half. */
  readonly selfSigner?: Signer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Present for a CA certificate. */
  readonly ca?: { readonly pathLength: number };
  readonly extendedKeyUsages?: readonly string[];
  readonly sanDns?: readonly string[];
  readonly sanIps?: readonly string[];
  readonly sanUris?: readonly string[];
  readonly crlUrl?: string;
  /** Further extensions: content of the OCTET STRING; not critical unless they say so. */
  readonly extensions?: readonly { readonly oid: string; readonly value: Uint8Array; readonly critical?: boolean }[];
}

/**
 * Issues a certificate with a P-256 key: for roots, intermediates and the gateway's certificate, and for tests. Only
 * step-ca issues device and YubiKey certificates.
 */
export async function issueCertificate(input: IssueInput): Promise<Certificate> {
  const publicKey = await toCryptoKey(input.key.type === 'private' ? createPublicKey(input.key) : input.key, 'verify');
  const signer = input.issuer?.signer ?? input.selfSigner;
  const issuerSpki =
    input.issuer?.signer === undefined ? spkiDer(input.issuer?.key ?? input.key) : input.issuer.certificate.spki;
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(input.ca !== undefined, input.ca?.pathLength, true),
    new x509.KeyUsagesExtension(input.ca === undefined ? x509.KeyUsageFlags.digitalSignature : CA_USAGE, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(
      await toCryptoKey(createPublicKey({ key: issuerSpki, type: 'spki', format: 'der' }), 'verify'),
    ),
  ];
  if (input.extendedKeyUsages !== undefined) {
    extensions.push(new x509.ExtendedKeyUsageExtension([...input.extendedKeyUsages]));
  }
  const names: x509.JsonGeneralNames = [
    ...(input.sanDns ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(input.sanIps ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(input.sanUris ?? []).map((value) => ({ type: 'url' as const, value })),
  ];
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names));
  if (input.crlUrl !== undefined) extensions.push(new x509.CRLDistributionPointsExtension([input.crlUrl]));
  for (const { oid, value, critical = false } of input.extensions ?? []) {
    extensions.push(new x509.Extension(oid, critical, Buffer.from(value)));
  }

  const subject = nameOf(input.subject);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    // The issuer's name is copied byte for byte, so that RFC 5280 name matching is byte equality.
    issuer: input.issuer === undefined ? subject : new x509.Name(input.issuer.certificate.subjectDer),
    notBefore: input.notBefore,
    notAfter: input.notAfter,
    publicKey,
    // The library signs with keys in memory only; another key's signature takes the place of a passing one's.
    signingKey: await toCryptoKey(signer === undefined ? (input.issuer?.key ?? input.key) : generateP256(), 'sign'),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions,
  });
  const der = Buffer.from(certificate.rawData);
  return parseCertificate(signer === undefined ? der : await signAgain(der, signer));
}

/** 16 random octets, positive and without a leading zero (RFC 5280, section 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

function nameOf(subject: IssueInput['subject']): x509.Name {
  return new x509.Name([
    ...(subject.o === undefined ? [] : [{ O: [subject.o] }]),
    ...(subject.ou === undefined ? [] : [{ OU: [subject.ou] }]),
    { CN: [subject.cn] },
  ]);
}

async function toCryptoKey(key: KeyObject, usage: 'sign' | 'verify'): Promise<webcrypto.CryptoKey> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  return usage === 'sign'
    ? webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, false, ['sign'])
    : webcrypto.subtle.importKey('spki', spkiDer(key), algorithm, true, ['verify']);
}
