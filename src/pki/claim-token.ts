import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

import { base64url, sha256 } from '../core/bytes.ts';
import type { Certificate } from './certificate.ts';

/**
 * The proofs of a claim (docs/protocol.md, section 14). Both sides derive one key from the token's secret; the slice is given the key and
 * never the secret. Each proof has a label of its own, so that none can be sent back as the other.
 */

const KEY_LABEL = 'kiwi/1 claim key';
const CHALLENGE_LABEL = 'kiwi/1 claim challenge';
const CLAIM_LABEL = 'kiwi/1 claim proof';

/**
 * The key of a token: HKDF-SHA256 (RFC 5869) of its secret, bound to its id.
 * @param secret 32 bytes @returns 32 bytes
 */
export function claimKey(secret: Uint8Array, tokenId: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `${KEY_LABEL}\0${tokenId}`, 32));
}

/**
 * The gateway's second proof: it knows the token, and the certificate with which it signs is the one that it means. Covers this hello and
 * this answer.
 *
 * @param helloHash base64url @param serverNonce base64url @param gateway the certificate that signs the challenge
 * @returns base64url
 */
export function challengeProof(
  key: Uint8Array,
  { helloHash, serverNonce, gateway }: { helloHash: string; serverNonce: string; gateway: Certificate },
): string {
  const parts = [Buffer.from(helloHash, 'base64url'), Buffer.from(serverNonce, 'base64url'), sha256(gateway.der)];
  return mac(key, CHALLENGE_LABEL, ...parts);
}

/**
 * The laptop's proof: it has the token. The challenge's hash covers the exchange so far, and with the hello the device key, which signs
 * the claim that this stands in.
 *
 * @param challengeHash base64url @returns base64url
 */
export const claimProof = (key: Uint8Array, challengeHash: string): string =>
  mac(key, CLAIM_LABEL, Buffer.from(challengeHash, 'base64url'));

/**
 * The key with which a gateway answers for a token that it does not know: always the same one for an id, so that a repeated question tells
 * nothing either.
 *
 * @param from a private key of the gateway, P-256, that all its replicas have
 */
export function decoyKey(from: KeyObject, tokenId: string): Buffer {
  const { d } = from.export({ format: 'jwk' });
  if (d === undefined) throw new TypeError('a private key of the gateway');
  const material = Buffer.from(d, 'base64url');
  try {
    return Buffer.from(hkdfSync('sha256', material, Buffer.alloc(0), `kiwi/1 claim decoy\0${tokenId}`, 32));
  } finally {
    material.fill(0);
  }
}

/** Labels have no zero byte and parts are of fixed length: no two inputs run together. */
function mac(key: Uint8Array, label: string, ...parts: readonly Buffer[]): string {
  const hmac = createHmac('sha256', createSecretKey(key)).update(`${label}\0`);
  for (const part of parts) hmac.update(part);
  return base64url(hmac.digest());
}
