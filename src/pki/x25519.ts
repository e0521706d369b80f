import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

import { base64url } from '../core/bytes.ts';

/** PKCS #8 and SubjectPublicKeyInfo of an X25519 key, up to the 32 bytes of the key itself (RFC 8410, sections 4 and 7). */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI = Buffer.from('302a300506032b656e032100', 'hex');

/** @param key 32 bytes; used clamped (RFC 7748, section 5) */
export function x25519PrivateKey(key: Uint8Array): KeyObject {
  const pkcs8 = Buffer.concat([PKCS8, key]);
  try {
    return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  } finally {
    pkcs8.fill(0);
  }
}

/**
 * @param text base64, as WireGuard writes keys
 * @throws when it is not 32 bytes long
 */
export function x25519PublicKey(text: string): KeyObject {
  // As a JWK (RFC 8037, section 2): OpenSSL takes longer to decode DER or PEM.
  const key = { kty: 'OKP', crv: 'X25519', x: base64url(Buffer.from(text, 'base64')) };
  return createPublicKey({ key, format: 'jwk' });
}

/** The public key of a private one: base64, as WireGuard writes keys. */
export function x25519PublicText(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(SPKI.length).toString('base64');
}
