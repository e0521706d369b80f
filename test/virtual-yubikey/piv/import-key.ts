import { createECDH, createPrivateKey, type KeyObject } from 'node:crypto';
import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { findTlv, parseTlvs, type Tlv } from '../wire/tlv.ts';
import { requireManagementKey } from './access.ts';
import type { SlotAlgorithm } from './algorithms.ts';
import type { PivContext } from './context.ts';
import { offeredAlgorithm, requestedPolicies } from './slot-policies.ts';
import { slotName } from './slots.ts';

/**
 * INS FE: puts a private key made elsewhere into a slot. It can sign and decrypt, but never be attested. Slot f9 takes one too, as
 * Yubico's manual has it ("can be overwritten by loading a new key and certificate"): its owner then attests for a root of their own.
 */
export function importKey(context: PivContext, command: Command): Buffer {
  requireManagementKey(context);
  const slot = slotName(command.p2);
  const algorithm = offeredAlgorithm(context.state, slot, command.p1);
  const tlvs = parseTlvs(command.data);
  const policies = requestedPolicies(context.state, slot, tlvs);
  const privateKey = readPrivateKey(algorithm, tlvs);
  context.state.slots[slot] = {
    algorithm: command.p1,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ...policies,
    origin: 'imported',
  };
  context.save();
  return Buffer.alloc(0);
}

function readPrivateKey(algorithm: SlotAlgorithm, tlvs: readonly Tlv[]): KeyObject {
  try {
    switch (algorithm.kind) {
      case 'rsa':
        return rsaKey(algorithm.bits, tlvs);
      case 'ec':
        return ecKey(algorithm, tlvs);
      case 'edwards':
        return seedKey(ED25519_PKCS8, part(tlvs, 0x07));
      case 'montgomery':
        return seedKey(X25519_PKCS8, part(tlvs, 0x08));
    }
  } catch {
    // A scalar out of range, primes that do not fit together, a part that is missing.
    throw new StatusWordError(SW.badData);
  }
}

/** PKCS#8 of RFC 8410, up to the 32 bytes of the key. */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const X25519_PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

function seedKey(before: Buffer, seed: Buffer): KeyObject {
  if (seed.length !== 32) throw new TypeError('key of the wrong length');
  return createPrivateKey({ key: Buffer.concat([before, seed]), format: 'der', type: 'pkcs8' });
}

function ecKey(algorithm: SlotAlgorithm & { kind: 'ec' }, tlvs: readonly Tlv[]): KeyObject {
  const scalar = part(tlvs, 0x06);
  if (scalar.length !== algorithm.size) throw new TypeError('scalar of the wrong length');
  const pair = createECDH(algorithm.curve);
  pair.setPrivateKey(scalar);
  const point = pair.getPublicKey();
  const x = point.subarray(1, 1 + algorithm.size).toString('base64url');
  const y = point.subarray(1 + algorithm.size).toString('base64url');
  const jwk = { kty: 'EC', crv: algorithm.jwkCurve, x, y, d: scalar.toString('base64url') };
  return createPrivateKey({ format: 'jwk', key: jwk });
}

/** The card gets primes and CRT values; the public exponent is 65537, as a YubiKey assumes. */
function rsaKey(bits: number, tlvs: readonly Tlv[]): KeyObject {
  const [p, q, dp, dq, qi] = [0x01, 0x02, 0x03, 0x04, 0x05].map((tag) => part(tlvs, tag)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const [primeP, primeQ] = [toInteger(p), toInteger(q)];
  const e = 65537n;
  const n = primeP * primeQ;
  if (n.toString(2).length !== bits) throw new TypeError('modulus of the wrong length');
  const d = inverse(e, (primeP - 1n) * (primeQ - 1n));
  const text = (bytes: Buffer): string => bytes.toString('base64url');
  const key = {
    kty: 'RSA',
    n: text(fromInteger(n)),
    e: text(fromInteger(e)),
    d: text(fromInteger(d)),
    p: text(p),
    q: text(q),
    dp: text(dp),
    dq: text(dq),
    qi: text(qi),
  };
  return createPrivateKey({ format: 'jwk', key });
}

function part(tlvs: readonly Tlv[], tag: number): Buffer {
  const value = findTlv(tlvs, tag);
  if (!value || value.length === 0) throw new TypeError(`no part ${tag}`);
  return value;
}

function toInteger(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}

function fromInteger(value: bigint): Buffer {
  const digits = value.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
}

/** Extended Euclid. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [oldR, r, oldS, s] = [value, modulus, 1n, 0n];
  while (r !== 0n) {
    const quotient = oldR / r;
    [oldR, r] = [r, oldR - quotient * r];
    [oldS, s] = [s, oldS - quotient * s];
  }
  return ((oldS % modulus) + modulus) % modulus;
}
