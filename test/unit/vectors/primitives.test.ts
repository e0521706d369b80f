import { createDecipheriv, createHash, createHmac, createPrivateKey, privateDecrypt } from 'node:crypto';

import { x25519 } from '@noble/curves/ed25519.js';
import { p256, p256_hasher } from '@noble/curves/nist.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';

import { normaliseComponent } from '../../../src/laptop/fingerprint/normalise.ts';
import { deriveWireguardKey, hashToCurvePoint, WIREGUARD_KEY_DST } from '../../../src/laptop/tunnel/wireguard-key.ts';
import { fileDeviceKey } from '../../../src/laptop/system/device-key.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCredential } from '../../../src/pki/tpm-credential.ts';
import { verifyTpmMaker } from '../../../src/pki/tpm-maker.ts';
import { readTpmPublic } from '../../../src/pki/tpm-public.ts';
import { componentKind, fingerprint, fingerprintDigestInput } from '../../../src/protocol/fingerprint.ts';
import * as V from '../../vectors/vector.ts';

/** RFC 9380, appendix J.1.1, copied from the RFC and not from the file. */
const RFC_POINTS: Readonly<Record<string, string>> = {
  '':
    '042c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e4' +
    '8a7a74985cc5c776cdfe4b1f19884970453912e9d31528c060be9ab5c43e8415',
  abc:
    '040bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f' +
    '5c41b3d0731a27a7b14bc0bf0ccded2d8751f83493404c84a88e71ffd424212e',
  abcdef0123456789:
    '0465038ac8f2b1def042a5df0b33b1f4eca6bff7cb0f9c6c1526811864e544ed80' +
    'cad44d40a656e7aff4002a8de287abc8ae0482b5ae825822bb870d6df9b56ca3',
};

describe('the vectors of the WireGuard key', () => {
  const file = V.vector('wireguard-key', V.WIREGUARD_KEY);
  const curve = V.vector('hash-to-curve', V.HASH_TO_CURVE);
  const deviceKey = createPrivateKey(file.devicePrivateKey);
  const { d = '' } = deviceKey.export({ format: 'jwk' });

  it('come from a suite that gives the RFC’s points', () => {
    expect(curve.rfc9380.points.map(({ message }) => message)).toEqual(Object.keys(RFC_POINTS));
    for (const { message, point } of curve.rfc9380.points) expect(point).toBe(RFC_POINTS[message]);
  });

  it('have the point that we use, on the curve', () => {
    expect(curve.dst).toBe(WIREGUARD_KEY_DST);
    expect(curve.q).toBe(hashToCurvePoint().toString('hex'));
    expect(file.q).toBe(curve.q);
    const q = p256_hasher.hashToCurve(Buffer.from(curve.message), { DST: curve.dst });
    expect(Buffer.from(q.toBytes(false)).toString('hex')).toBe(curve.q);
    p256.Point.fromHex(curve.q).assertValidity();
  });

  it('follow step by step, in another library', () => {
    const shared = p256.getSharedSecret(Buffer.from(d, 'base64url'), Buffer.from(file.q, 'hex'), false).subarray(1, 33);
    expect(Buffer.from(shared).toString('hex')).toBe(file.ecdhX);
    expect(createHash('sha256').update(Buffer.from(file.deviceSpki, 'hex')).digest('hex')).toBe(file.salt);
    for (const { generation, info, okm, privateKey, publicKey } of file.keys) {
      const generationBytes = Buffer.alloc(4);
      generationBytes.writeUInt32BE(generation);
      expect(info).toBe(
        Buffer.concat([Buffer.from(`kiwistack/wireguard/v1\0${file.slug}\0`), generationBytes]).toString('hex'),
      );
      const bytes = Buffer.from(
        expand(sha256, extract(sha256, shared, Buffer.from(file.salt, 'hex')), Buffer.from(info, 'hex'), 32),
      );
      expect(bytes.toString('hex')).toBe(okm);
      const clamped = Buffer.from(privateKey, 'base64');
      expect(clamped.subarray(1, 31).equals(bytes.subarray(1, 31))).toBe(true);
      expect([clamped[0], clamped[31]]).toEqual([(bytes[0] ?? 0) & 248, ((bytes[31] ?? 0) & 127) | 64]);
      expect(Buffer.from(x25519.getPublicKey(clamped)).toString('base64')).toBe(publicKey);
    }
  });

  it('prove that their holder has the private half, in another library and on both sides', () => {
    const { proof } = file;
    const { privateKey = '', publicKey = '' } = file.keys[proof.generation] ?? {};
    const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
    const secret = Buffer.from(x25519.getSharedSecret(bytes(privateKey), bytes(proof.proofKey))).toString('hex');
    expect(secret).toBe(proof.secret);
    expect(Buffer.from(x25519.getSharedSecret(bytes(proof.sessionProofKey), bytes(publicKey))).toString('hex')).toBe(
      secret,
    );
    const mac = createHmac('sha256', Buffer.from(secret, 'hex')).update(Buffer.from(proof.input, 'hex'));
    expect(mac.digest('base64url')).toBe(proof.proof);
    const statement = JSON.parse(V.vector('statement', V.STATEMENT).payload) as Record<string, string>;
    const challenge = V.vector('challenge', V.CHALLENGE);
    expect(statement['wireguardProof']).toBe(proof.proof);
    expect((JSON.parse(challenge.payload) as Record<string, string>)['proofKey']).toBe(proof.proofKey);
    const parts = ['kiwi/1 wireguard proof\0', Buffer.from(challenge.challengeHash, 'base64url'), bytes(publicKey)];
    expect(proof.input).toBe(Buffer.concat(parts.map((part) => Buffer.from(part))).toString('hex'));
  });

  it('are what the laptop computes', async () => {
    for (const { generation, privateKey, publicKey } of file.keys) {
      const inFile = fileDeviceKey(deviceKey, 'device.key');
      const derived = await deriveWireguardKey({ deviceKey: inFile, slug: file.slug, generation });
      expect(derived.publicKey).toBe(publicKey);
      expect(derived.privateKey.bytes.toString('base64')).toBe(privateKey);
    }
    expect(file.keys.map(({ generation }) => generation)).toEqual([0, 1]);
  });
});

describe('the vectors of the fingerprint', () => {
  const file = V.vector('fingerprint', V.FINGERPRINT);
  const salt = Buffer.from(file.salt, 'hex');

  it('are normalised as the laptop does it', () => {
    for (const { kind, raw, normalised } of [...file.values, ...file.normalisation]) {
      expect([raw, normaliseComponent(componentKind.parse(kind), raw) ?? null]).toEqual([raw, normalised]);
    }
  });

  it('have HMACs that another library finds, and each one once in the message', () => {
    const found = file.values.flatMap(({ kind, normalised, hmacInput, hmac: expected }) => {
      if (normalised === null) return [];
      const input = Buffer.concat([Buffer.from(kind), Buffer.from([0]), Buffer.from(normalised)]);
      expect(hmacInput).toBe(input.toString('hex'));
      const code = Buffer.from(hmac(sha256, salt, input)).toString('base64url');
      expect(code).toBe(expected);
      return [`${kind}:${code}`];
    });
    const sent = file.message.components.map(({ kind, hmac: code }) => `${kind}:${code}`);
    expect(sent.toSorted()).toEqual([...new Set(found)].toSorted());
  });

  it('have the digest over the identity components', () => {
    const message = fingerprint.parse(file.message);
    expect(fingerprintDigestInput(message.components)).toBe(file.digestInput);
    expect(createHash('sha256').update(file.digestInput).digest('base64url')).toBe(message.digest);
  });
});

describe('the vector of the thumbprint', () => {
  it('is RFC 7638’s', async () => {
    const { jwk, input, thumbprint } = V.vector('thumbprint', V.THUMBPRINT);
    expect(createHash('sha256').update(input).digest('base64url')).toBe(thumbprint);
    expect(await calculateJwkThumbprint(jwk, 'sha256')).toBe(thumbprint);
  });
});

describe('the vectors of a device key in a TPM', () => {
  const file = V.vector('tpm-key', V.TPM_KEY);
  const bytes = (name: keyof typeof file): Buffer => Buffer.from(file[name], 'base64url');

  it('name the device key of the example', () => {
    const area = bytes('publicArea').subarray(2);
    expect(file.name).toBe(`000b${Buffer.from(sha256(area)).toString('hex')}`);
    const { x, y } = createPrivateKey(V.vector('keys', V.KEYS).keys['device']?.pkcs8 ?? '').export({ format: 'jwk' });
    const point = [area.subarray(-66, -34), area.subarray(-32)].map((part) => part.toString('base64url'));
    expect(point).toEqual([x, y]);
  });

  it('have a credential that the endorsement key opens, for a secret that gives the proof', () => {
    const label = { oaepHash: 'sha256', oaepLabel: Buffer.from('IDENTITY\0') };
    const seed = privateDecrypt({ key: file.endorsementKey, ...label }, bytes('encryptedSecret').subarray(2));
    expect(seed.toString('hex')).toBe(file.seed);
    const integrity = Buffer.from('00000001' + Buffer.from('INTEGRITY\0').toString('hex') + '00000100', 'hex');
    const storage = `00000001${Buffer.from('STORAGE\0').toString('hex')}${file.name}00000080`;
    const identity = bytes('idObject').subarray(36);
    const outer = hmac(sha256, hmac(sha256, seed, integrity), Buffer.concat([identity, Buffer.from(file.name, 'hex')]));
    expect(bytes('idObject').subarray(4, 36).equals(outer)).toBe(true);
    const aes = hmac(sha256, seed, Buffer.from(storage, 'hex')).subarray(0, 16);
    const opened = createDecipheriv('aes-128-cfb', aes, Buffer.alloc(16)).update(identity);
    expect(opened.toString('hex')).toBe(`0020${file.secret}`);

    const challenge = V.vector('challenge', V.CHALLENGE);
    expect(file.challengeHash).toBe(challenge.challengeHash);
    const proof = hmac(sha256, Buffer.from(file.secret, 'hex'), Buffer.from(file.proofInput, 'hex'));
    expect(Buffer.from(proof).toString('base64url')).toBe(file.proof);
    expect(file.proofInput).toBe(
      `${Buffer.from('kiwi/1 tpm proof\0').toString('hex')}${bytes('challengeHash').toString('hex')}`,
    );
  });

  it('are what the gateway makes and reads', () => {
    const certificate = parseCertificate(bytes('endorsement'));
    verifyTpmMaker(certificate, [parseCertificate(bytes('maker'))]);
    const { name } = readTpmPublic(bytes('publicArea'));
    const [secret, seed] = [file.secret, file.seed].map((text) => Buffer.from(text, 'hex'));
    const made = makeCredential(certificate.publicKey, name, secret ?? Buffer.alloc(0), seed);
    expect(made.idObject.equals(bytes('idObject'))).toBe(true);
  });
});
