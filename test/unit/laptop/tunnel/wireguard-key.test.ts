import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

import { p256, p256_hasher } from '@noble/curves/nist.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { extract, expand } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';

import {
  deriveWireguardKey,
  hashToCurvePoint,
  WIREGUARD_KEY_DST,
} from '../../../../src/laptop/tunnel/wireguard-key.ts';
import { fileDeviceKey, type DeviceKey } from '../../../../src/laptop/system/device-key.ts';
import { generateP256, spkiDer } from '../../../../src/pki/keys.ts';

/** A device key that never changes: the private scalar is 1…32. */
const scalar = Uint8Array.from({ length: 32 }, (_, index) => index + 1);
const point = Buffer.from(p256.getPublicKey(scalar, false));
const deviceKey = createPrivateKey({
  key: {
    kty: 'EC',
    crv: 'P-256',
    d: Buffer.from(scalar).toString('base64url'),
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  },
  format: 'jwk',
});

const inFile = (key: KeyObject): DeviceKey => fileDeviceKey(key, 'device.key');

describe('hash to curve', () => {
  // RFC 9380, appendix J.1.1: P256_XMD:SHA-256_SSWU_RO_.
  it.each([
    [
      '',
      '2c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e4',
      '8a7a74985cc5c776cdfe4b1f19884970453912e9d31528c060be9ab5c43e8415',
    ],
    [
      'abc',
      '0bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f',
      '5c41b3d0731a27a7b14bc0bf0ccded2d8751f83493404c84a88e71ffd424212e',
    ],
  ])('gives the RFC’s point for %j', (message, x, y) => {
    const DST = 'QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_';
    const hex = Buffer.from(p256_hasher.hashToCurve(Buffer.from(message), { DST }).toBytes(false)).toString('hex');
    expect(hex).toBe(`04${x}${y}`);
  });

  it('gives our published point Q', () => {
    expect(WIREGUARD_KEY_DST).toBe('KIWISTACK-WIREGUARD-V1-with-P256_XMD:SHA-256_SSWU_RO_');
    expect(hashToCurvePoint().toString('hex')).toBe(
      '0401a91b23c2cb1589dd85cb007e7501323c1b2e73897023d14e1696d79ada681c' +
        '12ca07aa91cf62f33b9907bf9e6384f6b5b3d283d29d43f3245002a71ae8c4dc',
    );
  });
});

describe('the WireGuard key', () => {
  it('is what the written construction says, computed by another library', async () => {
    const shared = p256.getSharedSecret(scalar, hashToCurvePoint(), false).subarray(1, 33);
    const info = Buffer.concat([
      Buffer.from('kiwistack/wireguard/v1'),
      Buffer.from([0]),
      Buffer.from('acme'),
      Buffer.from([0]),
      Buffer.from([0, 0, 1, 2]),
    ]);
    const key = expand(sha256, extract(sha256, shared, sha256(spkiDer(deviceKey))), info, 32);
    key[0] = (key[0] ?? 0) & 248;
    key[31] = ((key[31] ?? 0) & 127) | 64;

    const derived = await deriveWireguardKey({ deviceKey: inFile(deviceKey), slug: 'acme', generation: 258 });
    expect(derived.privateKey.bytes.toString('hex')).toBe(Buffer.from(key).toString('hex'));
    expect(derived.publicKey).toBe(Buffer.from(x25519.getPublicKey(key)).toString('base64'));
  });

  it('is the same every time, and another one for another customer, generation or device', async () => {
    const publicKey = async (slug: string, generation: number, key = deviceKey): Promise<string> =>
      (await deriveWireguardKey({ deviceKey: inFile(key), slug, generation })).publicKey;
    expect(await publicKey('acme', 0)).toBe(await publicKey('acme', 0));
    const all = await Promise.all([
      publicKey('acme', 0),
      publicKey('acme', 1),
      publicKey('acme2', 0),
      publicKey('acme', 0, generateP256()),
    ]);
    expect(new Set(all).size).toBe(4);
  });

  it('takes no other key, no other name and no other generation', async () => {
    expect(() => inFile(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)).toThrow(TypeError);
    expect(() => inFile(generateKeyPairSync('ed25519').privateKey)).toThrow(TypeError);
    const derive = (more: object) =>
      deriveWireguardKey({ deviceKey: inFile(deviceKey), slug: 'acme', generation: 0, ...more });
    await expect(derive({ generation: -1 })).rejects.toThrow(TypeError);
    await expect(derive({ generation: 2 ** 32 })).rejects.toThrow(TypeError);
    await expect(derive({ slug: 'acme\0x' })).rejects.toThrow();
  });
});
