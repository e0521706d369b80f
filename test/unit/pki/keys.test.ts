import { createPublicKey, generateKeyPairSync } from 'node:crypto';

import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it, vi } from 'vitest';

import { generateP256, jwkThumbprint, jwkToKey, publicJwk, samePublicKey, spkiDer } from '../../../src/pki/keys.ts';

describe('a P-256 key', () => {
  it('as a JWK has its public half alone, and comes back from it', () => {
    const key = generateP256();
    const jwk = publicJwk(key);
    expect(Object.keys(jwk).sort()).toEqual(['crv', 'kty', 'x', 'y']);
    expect(spkiDer(jwkToKey(jwk)).equals(spkiDer(key))).toBe(true);
    expect(publicJwk(jwkToKey(jwk))).toEqual(jwk);
  });

  it('has the thumbprint that another library finds', async () => {
    for (let run = 0; run < 20; run++) {
      const jwk = publicJwk(generateP256());
      expect(jwkThumbprint(jwk)).toBe(await calculateJwkThumbprint({ ...jwk }, 'sha256'));
    }
  });

  it('is not a key of another kind, nor a point that is not on the curve', () => {
    expect(() => publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)).toThrow();
    expect(() => publicJwk(generateKeyPairSync('ed25519').privateKey)).toThrow();
    const jwk = publicJwk(generateP256());
    expect(() => jwkToKey({ ...jwk, y: jwk.x })).toThrow();
  });
});

describe('two public keys', () => {
  const ours = createPublicKey(generateP256());

  it('are the same, or not', () => {
    expect(samePublicKey(ours, jwkToKey(publicJwk(ours)))).toBe(true);
    expect(samePublicKey(ours, createPublicKey(generateP256()))).toBe(false);
    expect(samePublicKey(ours, generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)).toBe(false);
  });

  it('of different types are not given to OpenSSL, which would end the next TLS connection', () => {
    const equals = vi.spyOn(ours, 'equals');
    expect(samePublicKey(ours, generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)).toBe(false);
    expect(samePublicKey(ours, generateKeyPairSync('ed25519').publicKey)).toBe(false);
    expect(equals).not.toHaveBeenCalled();
  });
});
