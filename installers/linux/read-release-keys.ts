import { createPublicKey } from 'node:crypto';

import { readGivenFile, unusable } from '../../src/core/read-given-file.ts';

const BLOCK = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/gu;
const MAX_KEYS = 4;

/**
 * Reads the public keys whose releases laptops are to take. Nothing but keys is taken: a private one in the file would be published with
 * the package.
 *
 * @throws KiwiError `file-unusable`
 */
export async function readReleaseKeys(file: string): Promise<Buffer> {
  const option = '--release-keys';
  const pem = await readGivenFile(file, { option, maxBytes: 16 << 10 });
  const text = pem.toString('latin1');
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0 || blocks.length > MAX_KEYS || text.replaceAll(BLOCK, '').trim() !== '') {
    throw unusable(file, `is not a PEM file of 1 to ${MAX_KEYS} public keys only`, { option });
  }
  if (!blocks.every((block) => curveOf(block) === 'prime256v1')) {
    throw unusable(file, 'contains a key that is none of P-256', { option });
  }
  return pem;
}

function curveOf(pem: string): string | undefined {
  try {
    return createPublicKey(pem).asymmetricKeyDetails?.namedCurve;
  } catch {
    return undefined;
  }
}
