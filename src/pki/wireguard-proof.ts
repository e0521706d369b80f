import { createHmac, createSecretKey, diffieHellman, type KeyObject } from 'node:crypto';

import { base64url } from '../core/bytes.ts';
import { x25519PublicKey } from './x25519.ts';

const LABEL = 'kiwi/1 wireguard proof';

/**
 * What shows that the sender of a statement holds the private half of its WireGuard key, which cannot sign: an HMAC under
 * the Diffie-Hellman secret of that key and the session's proof key. Both sides can compute it, nobody else can
 * (docs/protocol.md, section 11).
 *
 * @param input.own the private half of either key
 * @param input.other the public half of the other one
 * @returns base64url
 * @throws when `other` is a point of low order, with which the secret would be zero
 */
export function wireguardProof(input: {
  own: KeyObject;
  other: string;
  challengeHash: string;
  wireguardPublicKey: string;
}): string {
  const secret = diffieHellman({ privateKey: input.own, publicKey: x25519PublicKey(input.other) });
  // A KeyObject, because Node recognises bytes by an exception.
  const mac = createHmac('sha256', createSecretKey(secret))
    .update(`${LABEL}\0`)
    .update(Buffer.from(input.challengeHash, 'base64url'))
    .update(Buffer.from(input.wireguardPublicKey, 'base64'))
    .digest();
  secret.fill(0);
  return base64url(mac);
}
