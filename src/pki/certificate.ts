import { X509Certificate as NodeCertificate, type KeyObject } from 'node:crypto';

import {
  alternativeNames,
  basicConstraints,
  extendedKeyUsages,
  FieldError,
  keyUsage,
  readCertificateFields,
} from './certificate-fields.ts';
import { algorithmFor } from './signer.ts';

/** A certificate as the rest of the program uses it; only `parseCertificate` creates one. */
export interface Certificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly subject: { readonly cn?: string; readonly o?: string; readonly ou?: string };
  /** DER of the names, compared byte by byte (RFC 5280, section 7.1 allows more, but our issuers copy the bytes). */
  readonly subjectDer: Buffer;
  readonly issuerDer: Buffer;
  /** Lower-case hex without leading zero octets. */
  readonly serialHex: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly publicKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  /** Bits of RFC 5280, section 4.2.1.3; undefined when the extension is absent. */
  readonly keyUsage: number | undefined;
  readonly extendedKeyUsages: readonly string[];
  readonly sanDns: readonly string[];
  readonly sanUris: readonly string[];
  readonly criticalOids: readonly string[];
  /** The content of an extension's OCTET STRING. */
  extension(oid: string): Buffer | undefined;
  /** True when `issuer`'s key signed this certificate, and is one that `algorithmFor` knows. Checks nothing else. */
  isSignedBy(issuer: Certificate): boolean;
}

export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/**
 * Parses one X.509 v3 certificate (RFC 5280).
 *
 * @param data DER, or PEM with exactly one certificate
 * @throws CertificateError when it is not one, or an extension occurs twice
 */
export function parseCertificate(data: Uint8Array | string): Certificate {
  try {
    return parse(data);
  } catch (error) {
    if (error instanceof CertificateError) throw error;
    throw new CertificateError(error instanceof FieldError ? error.message : 'not a certificate', { cause: error });
  }
}

function parse(data: Uint8Array | string): Certificate {
  // OpenSSL would take the first of several.
  if (typeof data === 'string' && data.split('-----BEGIN').length !== 2)
    throw new CertificateError('not one PEM block');
  const bytes = typeof data === 'string' ? data : Buffer.from(data);
  const known = typeof bytes === 'string' ? undefined : parsed.get(bytes.toString('latin1'));
  if (known !== undefined) return remember(known);
  const node = new NodeCertificate(bytes);
  const der = node.raw;
  // OpenSSL tolerates trailing bytes and loose encodings, which two parsers could read differently.
  if (typeof bytes !== 'string' && !der.equals(bytes)) throw new CertificateError('not the DER of one certificate');
  return remember(parsed.get(der.toString('latin1')) ?? describe(node, der));
}

/**
 * Certificates that were parsed before, with the signatures verified on them: every message carries the same
 * intermediate, and one YubiKey enrolls many laptops. Both depend only on the bytes. The size is limited and the least
 * recently used one is dropped first, so a stranger's certificates can do no more than push others out.
 */
const parsed = new Map<string, Certificate>();
const MAX_PARSED = 256;

function remember(certificate: Certificate): Certificate {
  const id = certificate.der.toString('latin1');
  parsed.delete(id);
  parsed.set(id, certificate);
  const [oldest] = parsed.keys();
  if (parsed.size > MAX_PARSED && oldest !== undefined) parsed.delete(oldest);
  return certificate;
}

function describe(node: NodeCertificate, der: Buffer): Certificate {
  const { subject, subjectDer, issuerDer, spkiDer, extensions } = readCertificateFields(der);
  const extension = (oid: string): Buffer | undefined => extensions.get(oid)?.value;
  const [constraints, usage, extended, alternative] = ['2.5.29.19', '2.5.29.15', '2.5.29.37', '2.5.29.17'].map(
    extension,
  );
  const { isCa, pathLength } =
    constraints === undefined ? { isCa: false, pathLength: undefined } : basicConstraints(constraints);
  const { dns, uris } = alternative === undefined ? { dns: [], uris: [] } : alternativeNames(alternative);
  const { publicKey } = node;
  let pem: string | undefined;
  const signers = new WeakMap<Certificate, boolean>();
  return {
    der,
    get pem() {
      return (pem ??= toPem(der));
    },
    subject,
    subjectDer,
    issuerDer,
    serialHex: node.serialNumber.toLowerCase().replace(/^(00)+(?=.)/, ''),
    notBefore: node.validFromDate,
    notAfter: node.validToDate,
    publicKey,
    spki: spkiDer,
    isCa,
    pathLength,
    keyUsage: usage === undefined ? undefined : keyUsage(usage),
    extendedKeyUsages: extended === undefined ? [] : extendedKeyUsages(extended),
    sanDns: dns,
    sanUris: uris,
    criticalOids: [...extensions].filter(([, { critical }]) => critical).map(([oid]) => oid),
    extension,
    isSignedBy: (issuer) => {
      const signed =
        signers.get(issuer) ?? (algorithmFor(issuer.publicKey) !== undefined && node.verify(issuer.publicKey));
      signers.set(issuer, signed);
      return signed;
    },
  };
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** The PEM blocks of a bundle, in order. @throws CertificateError when one cannot be parsed */
export function parsePemBundle(pem: string): Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => parseCertificate(block));
}
