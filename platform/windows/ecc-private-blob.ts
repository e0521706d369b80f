import type { KeyObject } from 'node:crypto';

import { publicJwk } from '../../src/pki/keys.ts';

/** `ECS2` and `ECS1` (BCRYPT_ECDSA_PRIVATE_P256_MAGIC, …_PUBLIC_…), and the 32 bytes of each number, in little endian. */
const PRIVATE_HEAD = Buffer.from('4543533220000000', 'hex');
const PUBLIC_HEAD = Buffer.from('4543533120000000', 'hex');
/** ECPrivateKey (RFC 5915) of P-256 up to its private number, whatever follows: version 1, an octet string of 32 bytes. */
const SEC1_HEAD = Buffer.from('0201010420', 'hex');
const POINT = 64;

/** Numbers of a P-256 public key as CNG gives them out: BCRYPT_ECCPUBLIC_BLOB, for ECDSA. */
export function eccPublicBlob(spki: Buffer): Buffer {
  return Buffer.concat([PUBLIC_HEAD, spki.subarray(-POINT)]);
}

/**
 * A P-256 private key as CNG takes it in: BCRYPT_ECCPRIVATE_BLOB, which is BCRYPT_ECCKEY_BLOB, then x, y and d in big endian. For ECDSA: CNG
 * uses no key both for signatures and for key agreement. The caller clears it. The private number is never in a string, which nobody could clear.
 */
export function eccPrivateBlob(key: KeyObject): Buffer {
  const { x, y } = publicJwk(key);
  const sec1 = key.export({ format: 'der', type: 'sec1' });
  try {
    if (!sec1.subarray(2, 7).equals(SEC1_HEAD)) throw new TypeError('not a P-256 private key');
    const point = [x, y].map((number) => Buffer.from(number, 'base64url'));
    return Buffer.concat([PRIVATE_HEAD, ...point, sec1.subarray(7, 39)]);
  } finally {
    sec1.fill(0);
  }
}
