import { createPublicKey, generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

import { digest } from '../core/bytes.ts';
import type { P256Jwk } from '../protocol/common.ts';
import { knowAlgorithm } from './signer.ts';

/** A new P-256 private key from the system's random source. */
export function generateP256(): KeyObject {
  return generateP256Pair().privateKey;
}

/** Returns the public key as well, which would cost as much again to derive from the private one. */
export function generateP256Pair(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

const generateAside = promisify(generateKeyPair);

/** The same in Node's thread pool, for a gateway. */
export function generateP256PairAside(): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  return generateAside('ec', { namedCurve: 'P-256' });
}

/** The public half of a P-256 key (private or public) as a JWK (RFC 7518, section 6.2). @throws when it is not a P-256 key */
export function publicJwk(key: KeyObject): P256Jwk {
  const { kty, crv, x, y } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined) throw new TypeError('not a P-256 key');
  // Not parsed: OpenSSL has checked the point, and its coordinates are in canonical form.
  return { kty, crv, x, y };
}

/**
 * Recently imported public keys: one enrollment uses the same device key four times. Limited in size; the oldest is
 * dropped first.
 */
const imported = new Map<string, KeyObject>();
const MAX_IMPORTED = 256;

/** The SubjectPublicKeyInfo of a P-256 key up to its uncompressed point (RFC 5480, section 2); x and y follow. */
const P256_SPKI = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');

/** @throws when the point is not on the curve (OpenSSL checks it). */
export function jwkToKey(jwk: P256Jwk): KeyObject {
  return spkiToKey(Buffer.concat([P256_SPKI, Buffer.from(jwk.x, 'base64url'), Buffer.from(jwk.y, 'base64url')]));
}

/**
 * @param spki SubjectPublicKeyInfo, DER
 * @throws when it is not one, or its point is not on the curve
 */
export function spkiToKey(spki: Buffer): KeyObject {
  const text = spki.toString('base64');
  const known = imported.get(text);
  if (known !== undefined) return known;
  // As PEM: any other format needs an options object, whose handling takes Node twice as long as the import itself
  // (Node 24, 2026-11).
  const key = createPublicKey(`-----BEGIN PUBLIC KEY-----\n${text}\n-----END PUBLIC KEY-----\n`);
  // Of these bytes and a point, OpenSSL makes no other key than one of P-256; to ask it takes as long as the import.
  if (spki.length === P256_SPKI.length + 64 && spki.subarray(0, P256_SPKI.length).equals(P256_SPKI)) {
    knowAlgorithm(key, 'ES256');
  }
  imported.set(text, key);
  const [oldest] = imported.keys();
  if (imported.size > MAX_IMPORTED && oldest !== undefined) imported.delete(oldest);
  return key;
}

/** RFC 7638 thumbprint with SHA-256, base64url. */
export function jwkThumbprint(jwk: P256Jwk): string {
  return digest(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }));
}

/** SubjectPublicKeyInfo, DER. */
export function spkiDer(key: KeyObject): Buffer {
  return (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
}

/**
 * Whether two public keys are the same. `KeyObject.equals` is not used: for keys of different types it leaves an error
 * in the OpenSSL error queue of the thread (Node 24), and the next TLS connection that reads or writes, whichever it
 * is, fails with ERR_SSL_DIFFERENT_KEY_TYPES.
 */
export function samePublicKey(a: KeyObject, b: KeyObject): boolean {
  return a.asymmetricKeyType === b.asymmetricKeyType && a.equals(b);
}
