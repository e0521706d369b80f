import { KeyObject } from 'node:crypto';

import { z } from 'zod';

import { parseStrictJson } from '../core/strict-json.ts';
import { p256Jwk, type P256Jwk } from '../protocol/common.ts';
import { agreedKey, openJwe, sealJwe, splitJwe } from './jwe-parts.ts';
import { JoseError } from './jws.ts';
import { keyAgreement, type KeyAgreement } from './key-agreement.ts';
import { generateP256PairAside, jwkToKey, publicJwk } from './keys.ts';

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

/**
 * Encrypts to a P-256 key: compact JWE.
 *
 * With node:crypto and not `jose`, whose WebCrypto calls each need a round trip to another thread: 2 ms of the 6 ms
 * that an enrollment costs a gateway (2026-11). Tests compare the two.
 *
 * @param agreementWith where the secret is calculated: a gateway leaves it to Node's thread pool
 */
export async function encryptTo(
  recipient: P256Jwk,
  plaintext: Uint8Array | string,
  typ: string,
  agreementWith: (privateKey: KeyObject) => KeyAgreement = keyAgreement,
): Promise<string> {
  const ephemeral = await generateP256PairAside();
  const key = agreedKey(await agreementWith(ephemeral.privateKey).agree(jwkToKey(recipient)));
  const content = { alg: 'ECDH-ES', enc: 'A256GCM', typ, epk: publicJwk(ephemeral.publicKey) };
  // Direct key agreement: the encrypted key, between the first two dots, is empty.
  return sealJwe(content, Buffer.alloc(0), key, plaintext);
}

/**
 * Decrypts a compact JWE with a P-256 private key, in memory or elsewhere.
 * @throws JoseError for any other format, another `typ`, another recipient, or a changed byte
 */
export async function decryptWith(own: KeyObject | KeyAgreement, jwe: string, typ: string): Promise<Buffer> {
  const agreement = own instanceof KeyObject ? keyAgreement(own) : own;
  const parts = splitJwe(jwe);
  const content = parseHeader(parts.header);
  if (content.typ !== typ) throw new JoseError('another typ');
  if (parts.encryptedKey.length > 0) throw new JoseError('not a compact JWE of kiwi/1');
  return openJwe(parts, async () => agreedKey(await agreement.agree(jwkToKey(content.epk))));
}

function parseHeader(bytes: Buffer): z.infer<typeof header> {
  try {
    return header.parse(parseStrictJson(bytes, 4096));
  } catch (error) {
    throw new JoseError('not the header of a JWE of kiwi/1', { cause: error });
  }
}
