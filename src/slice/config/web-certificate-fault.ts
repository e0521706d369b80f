import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

import { parsePemBundle } from '../../pki/certificate.ts';

export interface WebCertificateFault {
  readonly option: '--tls-cert' | '--tls-key';
  readonly why: string;
}

/**
 * Says why laptops would not accept the gateway's web certificate, as far as it can be seen here: which roots they trust
 * is not known.
 *
 * @param files PEM: the chain, leaf first, and the leaf's key
 */
export function webCertificateFault(
  files: { readonly certificate: Buffer; readonly key: Buffer },
  gatewayUrl: string,
  now: Date,
): WebCertificateFault | undefined {
  const leaf = leafOf(files.certificate);
  if (leaf === undefined) return { option: '--tls-cert', why: 'not certificates in PEM' };
  if (!belongsTo(leaf, files.key)) return { option: '--tls-key', why: 'not the key of the certificate' };
  const { hostname } = new URL(gatewayUrl);
  // Never by common name: browsers and Node look at alternative names alone (RFC 9525, section 6.3).
  const named = isIP(hostname) === 0 ? leaf.checkHost(hostname, { subject: 'never' }) : leaf.checkIP(hostname);
  if (named === undefined) {
    return { option: '--tls-cert', why: `for ${leaf.subjectAltName ?? 'no host'}, not for ${hostname}` };
  }
  const [from, until] = [leaf.validFromDate, leaf.validToDate];
  if (now < from) return { option: '--tls-cert', why: `not valid before ${from.toISOString()}` };
  if (now > until) return { option: '--tls-cert', why: `expired on ${until.toISOString()}` };
  return undefined;
}

/** When a web certificate that has no fault ends. */
export function webCertificateEnd(certificate: Buffer): Date | undefined {
  return leafOf(certificate)?.validToDate;
}

function leafOf(pem: Buffer): X509Certificate | undefined {
  try {
    const [leaf] = parsePemBundle(pem.toString('utf8'));
    return leaf === undefined ? undefined : new X509Certificate(leaf.der);
  } catch {
    return undefined;
  }
}

function belongsTo(leaf: X509Certificate, key: Buffer): boolean {
  try {
    return leaf.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}
