import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

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
  const key = Buffer.from(text, 'base64');
  if (key.length !== 32) throw new TypeError('not an X25519 key');
  // As PEM, as in `spkiToKey`: any other format takes twice as long.
  const spki = Buffer.concat([SPKI, key]).toString('base64');
  return createPublicKey(`-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`);
}

/** The public key of a private one: base64, as WireGuard writes keys. */
export function x25519PublicText(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(SPKI.length).toString('base64');
}
