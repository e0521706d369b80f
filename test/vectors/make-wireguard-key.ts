import { createHmac, createPublicKey, diffieHellman, hkdfSync } from 'node:crypto';

import { p256_hasher } from '@noble/curves/nist.js';

import { sha256 } from '../../src/core/bytes.ts';
import {
  deriveWireguardKey,
  hashToCurvePoint,
  WIREGUARD_KEY_DST,
  WIREGUARD_KEY_LABEL,
} from '../../src/laptop/tunnel/wireguard-key.ts';
import { fileDeviceKey } from '../../src/laptop/system/device-key.ts';
import { jwkThumbprint, jwkToKey, publicJwk, spkiDer } from '../../src/pki/keys.ts';
import { x25519PrivateKey, x25519PublicText } from '../../src/pki/x25519.ts';
import { p256Jwk } from '../../src/protocol/common.ts';
import { proofKey } from '../../src/slice/config/proof-key.ts';
import { SLUG } from './make-certificates.ts';
import { testKey } from './test-keys.ts';

/** RFC 9380, appendix J.1.1. */
export const RFC_DST = 'QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_';
const RFC_MESSAGES = ['', 'abc', 'abcdef0123456789'];

export function makeHashToCurve(): object {
  const point = (message: string, DST: string): string =>
    Buffer.from(p256_hasher.hashToCurve(Buffer.from(message), { DST }).toBytes(false)).toString('hex');
  return {
    suite: 'P256_XMD:SHA-256_SSWU_RO_',
    dst: WIREGUARD_KEY_DST,
    message: WIREGUARD_KEY_LABEL,
    q: hashToCurvePoint().toString('hex'),
    rfc9380: { dst: RFC_DST, points: RFC_MESSAGES.map((message) => ({ message, point: point(message, RFC_DST) })) },
  };
}

/** Each step of the derivation, computed here once more and not only by the product. */
export async function makeWireguardKeys(challenge: string): Promise<object> {
  const deviceKey = testKey('device');
  const q = hashToCurvePoint();
  const spki = spkiDer(deviceKey);
  const salt = sha256(spki);
  const publicKey = jwkToKey(
    p256Jwk.parse({
      kty: 'EC',
      crv: 'P-256',
      x: q.subarray(1, 33).toString('base64url'),
      y: q.subarray(33).toString('base64url'),
    }),
  );
  const shared = diffieHellman({ privateKey: deviceKey, publicKey });
  const challengeHash = sha256(challenge);
  const proof = proofKey(testKey('session'));
  const inFile = fileDeviceKey(deviceKey, 'device.key');
  const tunnel = await deriveWireguardKey({ deviceKey: inFile, slug: SLUG, generation: 0 });
  const secret = diffieHellman({
    privateKey: x25519PrivateKey(tunnel.privateKey.bytes),
    publicKey: createPublicKey(proof),
  });
  const input = Buffer.concat([
    Buffer.from('kiwi/1 wireguard proof\0'),
    challengeHash,
    Buffer.from(tunnel.publicKey, 'base64'),
  ]);
  return {
    devicePrivateKey: deviceKey.export({ type: 'pkcs8', format: 'pem' }),
    q: q.toString('hex'),
    qPem: publicKey.export({ type: 'spki', format: 'pem' }),
    ecdhX: shared.toString('hex'),
    deviceSpki: spki.toString('hex'),
    salt: salt.toString('hex'),
    slug: SLUG,
    keys: await Promise.all(
      [0, 1].map(async (generation) => {
        const counter = Buffer.alloc(4);
        counter.writeUInt32BE(generation);
        const info = Buffer.concat([Buffer.from(`${WIREGUARD_KEY_LABEL}\0${SLUG}\0`), counter]);
        const derived = await deriveWireguardKey({ deviceKey: inFile, slug: SLUG, generation });
        return {
          generation,
          info: info.toString('hex'),
          okm: Buffer.from(hkdfSync('sha256', shared, salt, info, 32)).toString('hex'),
          privateKey: derived.privateKey.bytes.toString('base64'),
          publicKey: derived.publicKey,
        };
      }),
    ),
    proof: {
      proofKey: x25519PublicText(proof),
      sessionProofKey: proof.export({ type: 'pkcs8', format: 'der' }).subarray(-32).toString('base64'),
      generation: 0,
      secret: secret.toString('hex'),
      input: input.toString('hex'),
      proof: createHmac('sha256', secret).update(input).digest('base64url'),
    },
  };
}

export function makeThumbprint(): object {
  const jwk = publicJwk(createPublicKey(testKey('device')));
  return {
    jwk,
    input: `{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}","y":"${jwk.y}"}`,
    thumbprint: jwkThumbprint(jwk),
  };
}
