import { generateKeyPairSync } from 'node:crypto';

import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';

import { generateP256, jwkThumbprint, jwkToKey, publicJwk, spkiDer } from '../../../src/pki/keys.ts';

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

  it('is no key of another kind, and no point beside the curve', () => {
    expect(() => publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)).toThrow();
    expect(() => publicJwk(generateKeyPairSync('ed25519').privateKey)).toThrow();
    const jwk = publicJwk(generateP256());
    expect(() => jwkToKey({ ...jwk, y: jwk.x })).toThrow();
  });
});
