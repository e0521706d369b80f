import { sign, verify, type AsymmetricKeyDetails, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

import { ecdsaFromDer, ecdsaToDer, isLowS, toLowS } from './ecdsa-signature.ts';

/** The signature algorithms of kiwi/1 (RFC 7518, section 3.1): ES256 for device and gateway keys, all three for YubiKeys. */
export type SignatureAlgorithm = 'ES256' | 'ES384' | 'RS256';

/** Anything that can sign: a key in memory, a YubiKey, a TPM. */
export interface Signer {
  readonly alg: SignatureAlgorithm;
  /** @returns the signature as JWS encodes it: r‖s of fixed length for EC, PKCS#1 v1.5 for RSA. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

const HASH = { ES256: 'sha256', ES384: 'sha384', RS256: 'sha256' } as const;

/** Octets of r and of s; an RSA signature is one number and stays unchanged. */
const HALF = { ES256: 32, ES384: 48, RS256: undefined } as const;

/** Cached, so that OpenSSL is asked only once for each key. */
const algorithms = new WeakMap<KeyObject, SignatureAlgorithm>();

/** Says what a key is whose bytes say it, so that OpenSSL need not be asked. */
export function knowAlgorithm(key: KeyObject, algorithm: SignatureAlgorithm): void {
  algorithms.set(key, algorithm);
}

/**
 * Run by Node's thread pool: a gateway has one thread for everything, and what others calculate meanwhile is what lets it use a second
 * core (10 µs of its own instead of 100 for a verification; Node 24, 2026-11).
 */
const signAside = promisify(sign) as (hash: string, data: Uint8Array, key: KeyObject) => Promise<Buffer>;
/** The bare call: an ECDSA signature is DER, and its s may be high. */
export const verifyAside = promisify(verify) as (
  hash: string,
  data: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
) => Promise<boolean>;

/** The algorithm that belongs to a public key; undefined for keys that kiwi/1 does not use. */
export function algorithmFor(key: KeyObject): SignatureAlgorithm | undefined {
  const known = algorithms.get(key);
  if (known !== undefined) return known;
  const algorithm = lookUpAlgorithm(key);
  if (algorithm !== undefined) algorithms.set(key, algorithm);
  return algorithm;
}

function lookUpAlgorithm(key: KeyObject): SignatureAlgorithm | undefined {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'ec' && details?.namedCurve === 'prime256v1') return 'ES256';
  if (key.asymmetricKeyType === 'ec' && details?.namedCurve === 'secp384r1') return 'ES384';
  if (key.asymmetricKeyType === 'rsa' && isUsualRsa(details)) return 'RS256';
  return undefined;
}

/**
 * Whoever chooses modulus and exponent chooses what a verification costs us: up to a thousand times as much. Every
 * YubiKey and every CA of Yubico has the exponent 65537, and at most 4096 bits.
 */
function isUsualRsa(details: AsymmetricKeyDetails | undefined): boolean {
  const { modulusLength = 0, publicExponent } = details ?? {};
  return modulusLength >= 2048 && modulusLength <= 4096 && publicExponent === 65_537n;
}

/**
 * A signer with a private key in memory.
 * @throws TypeError for a key that kiwi/1 does not use
 */
export function keySigner(privateKey: KeyObject): Signer {
  const alg = algorithmFor(privateKey);
  if (alg === undefined) throw new TypeError('not a key of kiwi/1');
  const half = HALF[alg];
  return {
    alg,
    sign: async (data) => {
      const signature = await signAside(HASH[alg], data, privateKey);
      return half === undefined ? signature : ecdsaFromDer(signature, half);
    },
  };
}

/** A signature as kiwi/1 sends it: s of ECDSA in the lower half, because signers give either of the two that fit. */
export function canonicalSignature(alg: SignatureAlgorithm, signature: Uint8Array): Uint8Array {
  return HALF[alg] === undefined ? signature : toLowS(signature);
}

/**
 * Verifies a JWS signature; of an ECDSA signature, only the form with the lower s is valid. Returns false and never throws
 * for a malformed signature or key.
 */
export function verifySignature(
  alg: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const given = toVerify(alg, key, signature);
  if (given === undefined) return false;
  try {
    return verify(HASH[alg], data, key, given);
  } catch {
    return false;
  }
}

/** The same in Node's thread pool, for a gateway. */
export async function verifySignatureAside(
  alg: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const given = toVerify(alg, key, signature);
  if (given === undefined) return false;
  try {
    return await verifyAside(HASH[alg], data, key, given);
  } catch {
    return false;
  }
}

/** The signature as OpenSSL takes it; undefined when it cannot be one by this key. */
function toVerify(alg: SignatureAlgorithm, key: KeyObject, signature: Uint8Array): Uint8Array | undefined {
  if (algorithmFor(key) !== alg) return undefined;
  const half = HALF[alg];
  if (half === undefined) return signature;
  return signature.length === 2 * half && isLowS(signature) ? ecdsaToDer(signature) : undefined;
}
