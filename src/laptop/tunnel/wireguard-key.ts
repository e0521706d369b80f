import { hkdfSync, type KeyObject } from 'node:crypto';

import { p256_hasher } from '@noble/curves/nist.js';

import { sha256 } from '../../core/bytes.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import { jwkToKey, spkiDer } from '../../pki/keys.ts';
import { x25519PrivateKey, x25519PublicText } from '../../pki/x25519.ts';
import { slug as slugSchema } from '../../protocol/common.ts';
import type { DeviceKey } from '../system/device-key.ts';

/** What is hashed to the point Q, and the first part of HKDF's `info`. */
export const WIREGUARD_KEY_LABEL = 'kiwistack/wireguard/v1';

/** Domain separation tag (RFC 9380, section 3.1): application, version and suite, as the RFC asks for. */
export const WIREGUARD_KEY_DST = 'KIWISTACK-WIREGUARD-V1-with-P256_XMD:SHA-256_SSWU_RO_';

const MAX_GENERATION = 0xffff_ffff;

export interface WireguardKeyInput {
  readonly deviceKey: Pick<DeviceKey, 'publicKey' | 'agree'>;
  readonly slug: string;
  /** Rotates the tunnel's key alone; 0 at enrollment. */
  readonly generation: number;
}

export interface WireguardKeyPair {
  /** 32 bytes, clamped. The caller clears it. */
  readonly privateKey: SecretBytes;
  /** Base64, as WireGuard writes keys. */
  readonly publicKey: string;
}

/**
 * Q = hash_to_curve(label) with the suite P256_XMD:SHA-256_SSWU_RO_ (RFC 9380, section 8.2), as an uncompressed SEC 1 point.
 * Nobody knows its discrete logarithm, so ECDH with it is a function only the holder of the device key can compute.
 */
export function hashToCurvePoint(): Buffer {
  const point = p256_hasher.hashToCurve(Buffer.from(WIREGUARD_KEY_LABEL), { DST: WIREGUARD_KEY_DST });
  return Buffer.from(point.toBytes(false));
}

/**
 * The WireGuard key pair of a device: docs/protocol.md, "WireGuard key". Deterministic: the same device key, slug and
 * generation give the same pair on every system, so that only the device key has to be kept.
 */
export async function deriveWireguardKey(input: WireguardKeyInput): Promise<WireguardKeyPair> {
  const { deviceKey, slug, generation } = input;
  if (!Number.isInteger(generation) || generation < 0 || generation > MAX_GENERATION) {
    throw new TypeError('the generation is an unsigned 32-bit number');
  }
  slugSchema.parse(slug); // the separators in `info` are unambiguous only while a slug cannot hold 0x00
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(generation);
  const info = Buffer.concat([Buffer.from(`${WIREGUARD_KEY_LABEL}\0${slug}\0`), counter]);

  const shared = await deviceKey.agree(pointKey(hashToCurvePoint()));
  const key = Buffer.from(hkdfSync('sha256', shared, sha256(spkiDer(deviceKey.publicKey)), info, 32));
  shared.fill(0);
  clamp(key);
  return { privateKey: new SecretBytes(key), publicKey: x25519PublicText(x25519PrivateKey(key)) };
}

/** RFC 7748, section 5. */
function clamp(key: Buffer): void {
  key.writeUInt8(key.readUInt8(0) & 0xf8, 0);
  key.writeUInt8((key.readUInt8(31) & 0x7f) | 0x40, 31);
}

function pointKey(point: Buffer): KeyObject {
  return jwkToKey({
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33, 65).toString('base64url'),
  });
}
