import { X509Certificate } from 'node:crypto';

import { readGivenFile, unusable } from '../../src/core/read-given-file.ts';
import { parseCertificate } from '../../src/pki/certificate.ts';
import { readRevocationList } from '../../src/pki/revocation-list.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/gu;

/**
 * Reads the provider's roots that a package is to pin. Laptops trust them for everything that a slice says, so nothing but CA certificates is
 * taken, and the revocation lists of these: a key in the file would be published with the package.
 *
 * @throws KiwiError `file-unusable`
 */
export async function readMspRoots(file: string): Promise<{ pem: Buffer; roots: X509Certificate[] }> {
  const option = '--msp-roots';
  const refuse = (why: string): never => {
    throw unusable(file, why, { option });
  };
  const pem = await readGivenFile(file, { option, maxBytes: 1 << 20 });
  const text = pem.toString('latin1');
  const blocks = [...text.matchAll(BLOCK)];
  if (blocks.length === 0 || text.replaceAll(BLOCK, '').trim() !== '') refuse('is not a PEM file of certificates only');
  const isList = ([, label]: RegExpMatchArray): boolean => label === 'X509 CRL';
  const roots = blocks
    .filter((block) => !isList(block))
    .map(([block, label]) => {
      if (label !== 'CERTIFICATE') refuse(`contains a ${label?.toLowerCase() ?? 'block'}`);
      const certificate = parse(block) ?? refuse('contains a certificate that cannot be read');
      if (!certificate.ca) refuse(`contains a certificate that is no CA: ${certificate.subject}`);
      return certificate;
    });
  if (roots.length === 0) refuse('contains no root');
  for (const [list] of blocks.filter(isList)) {
    if (!roots.some((root) => isOf(list, root))) refuse('contains a revocation list that is by none of its roots');
  }
  return { pem, roots };
}

function isOf(list: string, root: X509Certificate): boolean {
  try {
    return readRevocationList(list).isSignedBy(parseCertificate(root.raw));
  } catch {
    return false;
  }
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
