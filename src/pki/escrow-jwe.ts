import {
  constants,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  publicEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

import { z } from 'zod';

import { digest } from '../core/bytes.ts';
import { parseStrictJson } from '../core/strict-json.ts';
import { digestText, p256Jwk } from '../protocol/common.ts';
import { escrowRecipient, type EscrowRecipient } from '../protocol/disk-escrow.ts';
import { agreedKey, openJwe, sealJwe, splitJwe, type JweParts } from './jwe-parts.ts';
import { JoseError } from './jws.ts';
import { generateP256Pair, jwkThumbprint, jwkToKey, publicJwk } from './keys.ts';

/**
 * To a key in a YubiKey, which may be P-256 (ECDH-ES direct, RFC 7518, section 4.6) or RSA (RSA-OAEP-256, section 4.3). `kid` says which of
 * several keys opens it.
 */
const common = { enc: z.literal('A256GCM'), typ: z.string().max(40), kid: digestText };
const header = z.discriminatedUnion('alg', [
  z.strictObject({ alg: z.literal('ECDH-ES'), ...common, epk: p256Jwk }),
  z.strictObject({ alg: z.literal('RSA-OAEP-256'), ...common }),
]);
export type EscrowHeader = z.infer<typeof header>;

/** The private half of a recipient: it can do one of the two, by its kind. */
export interface EscrowOpener {
  /** @returns the x-coordinate of ECDH with this point */
  agree(publicKey: KeyObject): Promise<Buffer>;
  /** RSAES-OAEP with SHA-256 for the hash and for MGF1, and no label. */
  unwrap(encryptedKey: Buffer): Promise<Buffer>;
}

/** RFC 7638 thumbprint with SHA-256, base64url. */
export function recipientThumbprint(recipient: EscrowRecipient): string {
  if (recipient.kty === 'EC') return jwkThumbprint(recipient);
  const { e, kty, n } = recipient;
  return digest(JSON.stringify({ e, kty, n }));
}

/** A public key as a recipient. @throws JoseError when it is neither P-256 nor RSA with 2048 to 4096 bits */
export function recipientOf(key: KeyObject): EscrowRecipient {
  const { kty, crv, x, y, n, e } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  const parsed = escrowRecipient.safeParse(kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y });
  if (!parsed.success) throw new JoseError('neither a P-256 key nor an RSA key of 2048 to 4096 bits');
  return parsed.data;
}

/** Encrypts to a recipient: compact JWE. */
export function encryptToRecipient(recipient: EscrowRecipient, plaintext: Uint8Array | string, typ: string): string {
  const kid = recipientThumbprint(recipient);
  if (recipient.kty === 'EC') {
    const ephemeral = generateP256Pair();
    const key = agreedKey(diffieHellman({ privateKey: ephemeral.privateKey, publicKey: jwkToKey(recipient) }));
    const content = { alg: 'ECDH-ES', enc: 'A256GCM', typ, kid, epk: publicJwk(ephemeral.publicKey) };
    return sealJwe(content, Buffer.alloc(0), key, plaintext);
  }
  const contentKey = randomBytes(32);
  try {
    const encryptedKey = publicEncrypt({ key: rsaKey(recipient), ...OAEP }, contentKey);
    const content = { alg: 'RSA-OAEP-256', enc: 'A256GCM', typ, kid };
    return sealJwe(content, encryptedKey, createSecretKey(contentKey), plaintext);
  } finally {
    contentKey.fill(0);
  }
}

/** What the header says: for whom it is. @throws JoseError for any other format, or another `typ` */
export function readEscrowHeader(jwe: string, typ: string): EscrowHeader {
  return headerOf(splitJwe(jwe), typ);
}

/** @throws JoseError for any other format, another `typ`, another recipient, or a changed byte; and what the opener throws */
export async function openEscrow(opener: EscrowOpener, jwe: string, typ: string): Promise<Buffer> {
  const parts = splitJwe(jwe);
  const content = headerOf(parts, typ);
  // What the opener throws is thrown as it is: that nobody touches a YubiKey says nothing about the message.
  if (content.alg === 'ECDH-ES') {
    const secret = await opener.agree(jwkToKey(content.epk));
    return openJwe(parts, () => Promise.resolve(agreedKey(secret)));
  }
  const contentKey = await opener.unwrap(parts.encryptedKey);
  return openJwe(parts, () => Promise.resolve(createSecretKey(contentKey)));
}

/** With SHA-256 for the hash and, as OpenSSL does then, for MGF1. */
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const;

function rsaKey({ kty, n, e }: Extract<EscrowRecipient, { kty: 'RSA' }>): KeyObject {
  return createPublicKey({ key: { kty, n, e }, format: 'jwk' });
}

function headerOf(parts: JweParts, typ: string): EscrowHeader {
  let value: unknown;
  try {
    value = parseStrictJson(parts.header, 4096);
  } catch (error) {
    throw new JoseError('not the header of a JWE of kiwi/1', { cause: error });
  }
  const parsed = header.safeParse(value);
  if (!parsed.success) throw new JoseError('not the header of an escrow of kiwi/1');
  const { typ: said, alg } = parsed.data;
  if (said !== typ) throw new JoseError('another typ');
  if ((alg === 'ECDH-ES') !== (parts.encryptedKey.length === 0)) throw new JoseError('not an escrow of kiwi/1');
  return parsed.data;
}
