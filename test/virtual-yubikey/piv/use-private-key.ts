import { constants, createPublicKey, diffieHellman, privateDecrypt, sign, type JsonWebKey } from 'node:crypto';
import { p256, p384 } from '@noble/curves/nist.js';
import type { SlotKey } from '../key/state.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { slotAlgorithm, type SlotAlgorithm } from './algorithms.ts';
import { privateKeyOf } from './key-pair.ts';

type EcAlgorithm = SlotAlgorithm & { kind: 'ec' };

/**
 * RSA private operation on a block the client has padded (sign and decrypt), ECDSA over a digest it has made, or Ed25519 over a
 * message.
 */
export function signChallenge(key: SlotKey, challenge: Buffer): Buffer {
  const algorithm = algorithmOf(key);
  switch (algorithm.kind) {
    case 'rsa':
      return rawRsa(key, algorithm.bits, challenge);
    case 'ec':
      return signDigest(key, algorithm, challenge);
    case 'edwards':
      return sign(null, challenge, privateKeyOf(key));
    case 'montgomery':
      throw new StatusWordError(SW.badData);
  }
}

/** ECDH with the point of the other side; answers the x coordinate. */
export function agreeOnSecret(key: SlotKey, point: Buffer): Buffer {
  const jwk = pointAsJwk(algorithmOf(key), point);
  try {
    const publicKey = createPublicKey({ format: 'jwk', key: jwk });
    return diffieHellman({ privateKey: privateKeyOf(key), publicKey });
  } catch {
    // A point that is not on the curve, or of low order.
    throw new StatusWordError(SW.badData);
  }
}

function pointAsJwk(algorithm: SlotAlgorithm, point: Buffer): JsonWebKey {
  if (algorithm.kind === 'montgomery' && point.length === 32) {
    return { kty: 'OKP', crv: 'X25519', x: point.toString('base64url') };
  }
  if (algorithm.kind === 'ec' && point.length === 1 + 2 * algorithm.size && point[0] === 0x04) {
    const x = point.subarray(1, 1 + algorithm.size).toString('base64url');
    const y = point.subarray(1 + algorithm.size).toString('base64url');
    return { kty: 'EC', crv: algorithm.jwkCurve, x, y };
  }
  throw new StatusWordError(SW.badData);
}

function rawRsa(key: SlotKey, bits: number, block: Buffer): Buffer {
  if (block.length !== bits / 8) throw new StatusWordError(SW.badData);
  try {
    return privateDecrypt({ key: privateKeyOf(key), padding: constants.RSA_NO_PADDING }, block);
  } catch {
    // A block that is not smaller than the modulus.
    throw new StatusWordError(SW.badData);
  }
}

// Node signs messages only; the card is given a digest. High s values are left as they come: a real key has them too.
function signDigest(key: SlotKey, algorithm: EcAlgorithm, digest: Buffer): Buffer {
  if (digest.length === 0 || digest.length > algorithm.size) throw new StatusWordError(SW.badData);
  const scalar = Buffer.from(privateKeyOf(key).export({ format: 'jwk' }).d ?? '', 'base64url');
  const curve = algorithm.curve === 'prime256v1' ? p256 : p384;
  return Buffer.from(curve.sign(digest, scalar, { prehash: false, lowS: false, format: 'der' }));
}

function algorithmOf(key: SlotKey): SlotAlgorithm {
  const algorithm = slotAlgorithm(key.algorithm);
  if (!algorithm) throw new TypeError(`state file names algorithm ${key.algorithm}`);
  return algorithm;
}
