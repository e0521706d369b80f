import { createCipheriv, createDecipheriv, createSecretKey, diffieHellman, KeyObject, randomBytes } from 'node:crypto';

import { z } from 'zod';

import { base64url, sha256 } from '../core/bytes.ts';
import { KiwiError } from '../core/errors.ts';
import { parseStrictJson } from '../core/strict-json.ts';
import { p256Jwk, type P256Jwk } from '../protocol/common.ts';
import { JoseError } from './jws.ts';
import { keyAgreement, type KeyAgreement } from './key-agreement.ts';
import { generateP256Pair, jwkToKey, publicJwk } from './keys.ts';

/**
 * The only header that kiwi/1 allows in an encrypted message (RFC 7516; ECDH-ES direct, RFC 7518 section 4.6; no
 * compression).
 */
const header = z.strictObject({
  alg: z.literal('ECDH-ES'),
  enc: z.literal('A256GCM'),
  typ: z.string().max(40),
  epk: p256Jwk,
});

const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts to a P-256 key: compact JWE.
 *
 * With node:crypto and not `jose`, whose WebCrypto calls each need a round trip to another thread: 2 ms of the 6 ms
 * that an enrollment costs a gateway (2026-11). Tests compare the two.
 */
export function encryptTo(recipient: P256Jwk, plaintext: Uint8Array | string, typ: string): Promise<string> {
  // Inside a promise, because a recipient key that is not on the curve throws.
  return Promise.resolve().then(() => {
    const ephemeral = generateP256Pair();
    const content = { alg: 'ECDH-ES', enc: 'A256GCM', typ, epk: publicJwk(ephemeral.publicKey) };
    const protectedHeader = base64url(Buffer.from(JSON.stringify(content)));
    const iv = randomBytes(IV_BYTES);
    const key = contentKey(diffieHellman({ privateKey: ephemeral.privateKey, publicKey: jwkToKey(recipient) }));
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(protectedHeader, 'ascii'));
    const ciphertext = Buffer.concat([cipher.update(Buffer.from(plaintext)), cipher.final()]);
    // Direct key agreement: the encrypted key, between the first two dots, is empty.
    return [protectedHeader, '', base64url(iv), base64url(ciphertext), base64url(cipher.getAuthTag())].join('.');
  });
}

/**
 * Decrypts a compact JWE with a P-256 private key, in memory or elsewhere.
 * @throws JoseError for any other format, another `typ`, another recipient, or a changed byte
 */
export async function decryptWith(own: KeyObject | KeyAgreement, jwe: string, typ: string): Promise<Buffer> {
  const agreement = own instanceof KeyObject ? keyAgreement(own) : own;
  const [protectedHeader = '', encryptedKey, ...rest] = jwe.split('.');
  const content = parseHeader(decode(protectedHeader));
  if (content.typ !== typ) throw new JoseError('another typ');
  const [iv, ciphertext, tag, ...more] = rest.map(decode);
  if (encryptedKey !== '' || iv?.length !== IV_BYTES || tag?.length !== TAG_BYTES || more.length > 0) {
    throw new JoseError('not a compact JWE of kiwi/1');
  }
  try {
    const key = contentKey(await agreement.agree(jwkToKey(content.epk)));
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(protectedHeader, 'ascii')).setAuthTag(tag);
    return Buffer.concat([decipher.update(ciphertext ?? Buffer.alloc(0)), decipher.final()]);
  } catch (error) {
    // A TPM that does not answer says nothing about the message.
    if (error instanceof KiwiError) throw error;
    throw new JoseError('cannot be decrypted', { reason: 'undecryptable', cause: error });
  }
}

/**
 * The content key of ECDH-ES in direct agreement: one round of the Concat KDF with SHA-256 (RFC 7518, section 4.6.2).
 * Returned as a KeyObject: given bytes instead of a key, a cipher throws and catches two exceptions internally (Node
 * 24, 2026-11).
 */
function contentKey(secret: Buffer): KeyObject {
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

function parseHeader(bytes: Buffer): z.infer<typeof header> {
  try {
    return header.parse(parseStrictJson(bytes, 4096));
  } catch (error) {
    throw new JoseError('not the header of a JWE of kiwi/1', { cause: error });
  }
}

/** Base64url in its canonical form only; it may be empty, because a plaintext may be. */
function decode(encoded: string): Buffer {
  const bytes = Buffer.from(encoded, 'base64url');
  if (bytes.toString('base64url') !== encoded) throw new JoseError('not canonical base64url');
  return bytes;
}
