import { X509Certificate as NodeCertificate, type KeyObject } from 'node:crypto';

import * as x509 from './x509.ts';

/** A certificate as the rest of the program sees it; made only by `parseCertificate`. */
export interface Certificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly subject: { readonly cn?: string; readonly o?: string; readonly ou?: string };
  /** DER of the names, for byte-equal comparison (RFC 5280, section 7.1 allows more; our issuers copy bytes). */
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
  /** True when `issuer`'s key signed this certificate. Says nothing else. */
  isSignedBy(issuer: Certificate): boolean;
}

export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/**
 * Parses one X.509 v3 certificate (RFC 5280).
 *
 * @param data DER, or PEM with exactly one certificate
 * @throws CertificateError when it is not one, or an extension stands in it twice
 */
export function parseCertificate(data: Uint8Array | string): Certificate {
  try {
    return parse(data);
  } catch (error) {
    if (error instanceof CertificateError) throw error;
    throw new CertificateError('not a certificate', { cause: error });
  }
}

function parse(data: Uint8Array | string): Certificate {
  // OpenSSL takes the first of several.
  if (typeof data === 'string' && data.split('-----BEGIN').length !== 2)
    throw new CertificateError('not one PEM block');
  const node = new NodeCertificate(typeof data === 'string' ? data : Buffer.from(data));
  const der = node.raw;
  // OpenSSL tolerates bytes behind the certificate; two readers could disagree about them.
  if (typeof data !== 'string' && data.length !== der.length)
    throw new CertificateError('bytes behind the certificate');
  const parsed = new x509.X509Certificate(der);

  const extensions = new Map<string, Buffer>();
  const criticalOids: string[] = [];
  for (const { type, value, critical } of parsed.extensions) {
    if (extensions.has(type)) throw new CertificateError('an extension stands in it twice');
    extensions.set(type, Buffer.from(value));
    if (critical) criticalOids.push(type);
  }
  const constraints = parsed.getExtension(x509.BasicConstraintsExtension);
  const names = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  const field = (name: string): string | undefined => {
    const values = parsed.subjectName.getField(name);
    return values.length === 1 ? values[0] : undefined;
  };
  const [cn, o, ou] = [field('CN'), field('O'), field('OU')];

  const certificate: Certificate = {
    der,
    pem: toPem(der),
    subject: {
      ...(cn === undefined ? {} : { cn }),
      ...(o === undefined ? {} : { o }),
      ...(ou === undefined ? {} : { ou }),
    },
    subjectDer: Buffer.from(parsed.subjectName.toArrayBuffer()),
    issuerDer: Buffer.from(parsed.issuerName.toArrayBuffer()),
    serialHex: parsed.serialNumber.toLowerCase().replace(/^(00)+(?=.)/, ''),
    notBefore: parsed.notBefore,
    notAfter: parsed.notAfter,
    publicKey: node.publicKey,
    spki: node.publicKey.export({ type: 'spki', format: 'der' }),
    isCa: constraints?.ca === true,
    pathLength: constraints?.pathLength,
    keyUsage: parsed.getExtension(x509.KeyUsagesExtension)?.usages,
    extendedKeyUsages: (parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? []).map(String),
    sanDns: names.filter((name) => name.type === 'dns').map((name) => name.value),
    sanUris: names.filter((name) => name.type === 'url').map((name) => name.value),
    criticalOids,
    extension: (oid) => extensions.get(oid),
    isSignedBy: (issuer) => node.verify(issuer.publicKey),
  };
  return certificate;
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
