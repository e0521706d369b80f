import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';

import { base64url, sha256 } from '../core/bytes.ts';
import { KiwiError } from '../core/errors.ts';
import { JoseError } from './jws.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A compact JWE (RFC 7516, section 7.1) in its five segments, of which nothing is verified yet. */
export interface JweParts {
  /** As it was sent, because it is authenticated with the ciphertext. */
  readonly protectedHeader: string;
  readonly header: Buffer;
  /** Empty in direct key agreement. */
  readonly encryptedKey: Buffer;
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** Encrypts with A256GCM: compact JWE. @param encryptedKey empty in direct key agreement */
export function sealJwe(header: object, encryptedKey: Buffer, key: KeyObject, plaintext: Uint8Array | string): string {
  const protectedHeader = base64url(Buffer.from(JSON.stringify(header)));
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(protectedHeader, 'ascii'));
  const ciphertext = Buffer.concat([cipher.update(Buffer.from(plaintext)), cipher.final()]);
  return [protectedHeader, ...[encryptedKey, iv, ciphertext, cipher.getAuthTag()].map(base64url)].join('.');
}

/** @throws JoseError */
export function splitJwe(jwe: string): JweParts {
  const segments = jwe.split('.');
  const [header, encryptedKey, iv, ciphertext, tag] = segments.map(decode);
  const whole = segments.length === 5 && iv?.length === IV_BYTES && tag?.length === TAG_BYTES;
  if (!whole || header === undefined || encryptedKey === undefined || ciphertext === undefined) {
    throw new JoseError('not a compact JWE of kiwi/1');
  }
  return { protectedHeader: segments[0] ?? '', header, encryptedKey, iv, ciphertext, tag };
}

/** @param key gives what the content was encrypted with @throws JoseError for another key, or a changed byte */
export async function openJwe(parts: JweParts, key: () => Promise<KeyObject>): Promise<Buffer> {
  const { protectedHeader, iv, ciphertext, tag } = parts;
  try {
    const decipher = createDecipheriv('aes-256-gcm', await key(), iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(protectedHeader, 'ascii')).setAuthTag(tag);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch (error) {
    // A TPM or a YubiKey that does not answer says nothing about the message.
    if (error instanceof KiwiError) throw error;
    throw new JoseError('cannot be decrypted', { reason: 'undecryptable', cause: error });
  }
}

/**
 * The content key of ECDH-ES in direct agreement: one round of the Concat KDF with SHA-256 (RFC 7518, section 4.6.2).
 * Returned as a KeyObject: given bytes instead of a key, a cipher throws and catches two exceptions internally (Node
 * 24, 2026-11).
 */
export function agreedKey(secret: Buffer): KeyObject {
  const algorithm = Buffer.from('A256GCM', 'ascii');
  return createSecretKey(
    sha256(
      Buffer.concat([
        number(1), // the round
        secret,
        number(algorithm.length),
        algorithm,
        number(0), // PartyUInfo: none
        number(0), // PartyVInfo: none
        number(256), // SuppPubInfo: length of the key in bits
      ]),
    ),
  );
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Base64url in its canonical form only; it may be empty, because a plaintext may be. */
function decode(encoded: string): Buffer {
  const bytes = Buffer.from(encoded, 'base64url');
  if (bytes.toString('base64url') !== encoded) throw new JoseError('not canonical base64url');
  return bytes;
}
