import type { KeyObject } from 'node:crypto';

import { CompactEncrypt, compactDecrypt } from 'jose';
import { z } from 'zod';

import { parseStrictJson } from '../core/strict-json.ts';
import { p256Jwk, type P256Jwk } from '../protocol/common.ts';
import { JoseError } from './jws.ts';
import { jwkToKey } from './keys.ts';

/** The only header of an encrypted message of kiwi/1 (RFC 7516; ECDH-ES direct, RFC 7518 section 4.6; no compression). */
const header = z.strictObject({
  alg: z.literal('ECDH-ES'),
  enc: z.literal('A256GCM'),
  typ: z.string().max(40),
  epk: p256Jwk,
});

/** Encrypts to a P-256 key: compact JWE. */
export async function encryptTo(recipient: P256Jwk, plaintext: Uint8Array | string, typ: string): Promise<string> {
  return new CompactEncrypt(Buffer.from(plaintext))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', typ })
    .encrypt(jwkToKey(recipient));
}

/**
 * Decrypts a compact JWE with a P-256 private key.
 * @throws JoseError for any other form, another `typ`, another recipient, or a changed byte
 */
export async function decryptWith(privateKey: KeyObject, jwe: string, typ: string): Promise<Buffer> {
  try {
    const protectedHeader = refuseOtherSpelling(jwe);
    if (header.parse(parseStrictJson(protectedHeader, 4096)).typ !== typ) throw new JoseError('another typ');
    const { plaintext } = await compactDecrypt(jwe, privateKey, {
      keyManagementAlgorithms: ['ECDH-ES'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    return Buffer.from(plaintext);
  } catch (error) {
    if (error instanceof JoseError) throw error;
    throw new JoseError('cannot be decrypted', { cause: error });
  }
}

/**
 * The bytes of a message are hashed and compared, so there must be one spelling of it: five segments (RFC 7516, section 7.1) of
 * canonical base64url, the second empty (no encrypted key with ECDH-ES). GCM protects what they decode to, not how they are written.
 *
 * @returns the bytes of the header
 */
function refuseOtherSpelling(jwe: string): Buffer {
  const segments = jwe.split('.');
  if (segments.length !== 5 || segments[1] !== '') throw new JoseError('not a compact JWE');
  const bytes = segments.map((segment) => Buffer.from(segment, 'base64url'));
  if (bytes.some((decoded, index) => decoded.toString('base64url') !== segments[index])) {
    throw new JoseError('not canonical base64url');
  }
  return bytes[0] ?? Buffer.alloc(0);
}
