import { createPrivateKey, type KeyObject } from 'node:crypto';

import { p256 } from '@noble/curves/nist.js';

import { sha256 } from '../../src/core/bytes.ts';
import { jwkThumbprint, publicJwk, spkiDer } from '../../src/pki/keys.ts';

export const KEY_NAMES = [
  'msp-root',
  'intermediate',
  'gateway',
  'session',
  'yubikey',
  'device',
  'yubico-root',
  'yubikey-f9',
  'fleet-ca',
  'other-root',
  'next-intermediate',
  'escrow',
  'operator',
  'second-operator',
  'operator-session',
] as const;
export type KeyName = (typeof KEY_NAMES)[number];

/** The private scalar of a published test key: SHA-256 of its label. Everybody knows these keys; they must protect nothing. */
export function testKey(name: KeyName): KeyObject {
  const d = sha256(`KiwiStack published test key, never to be used: ${name}`);
  const point = Buffer.from(p256.getPublicKey(d, false));
  return createPrivateKey({
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: d.toString('base64url'),
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    },
    format: 'jwk',
  });
}

export function makeKeys(): object {
  return {
    notice: 'Published test keys. The private halves are public: they must protect nothing.',
    keys: Object.fromEntries(
      KEY_NAMES.map((name) => {
        const key = testKey(name);
        const pkcs8 = key.export({ type: 'pkcs8', format: 'pem' });
        const thumbprint = jwkThumbprint(publicJwk(key));
        return [name, { jwk: key.export({ format: 'jwk' }), pkcs8, spki: spkiDer(key).toString('hex'), thumbprint }];
      }),
    ),
  };
}
