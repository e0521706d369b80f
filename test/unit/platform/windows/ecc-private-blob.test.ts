import { createPrivateKey, ECDH, type KeyObject } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { eccPrivateBlob, eccPublicBlob } from '../../../../platform/windows/ecc-private-blob.ts';
import { generateP256, spkiDer } from '../../../../src/pki/keys.ts';

const D = 'c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721';
const X = '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6';
const Y = '7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299';

function keyOf(d: string, x: string, y: string): KeyObject {
  const coded = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', d: coded(d), x: coded(x), y: coded(y) };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

describe('a key as CNG takes it', () => {
  it('is ECS2, the length of a number, then x, y and d: the key of RFC 6979, A.2.5', () => {
    expect(eccPrivateBlob(keyOf(D, X, Y)).toString('hex')).toBe(`4543533220000000${X}${Y}${D}`);
  });

  it('is as long where the private number begins with zeros: the number 1, whose point is the generator', () => {
    const [x, y] = [
      '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
      '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
    ];
    const d = '1'.padStart(64, '0');
    expect(eccPrivateBlob(keyOf(d, x, y)).toString('hex')).toBe(`4543533220000000${x}${y}${d}`);
  });

  it('is the same from a key file without its public half, or with a compressed one', () => {
    const bare = `303102010104 20${D}a00a06082a8648ce3d030107`.replace(' ', '');
    const key = createPrivateKey({ key: Buffer.from(bare, 'hex'), format: 'der', type: 'sec1' });
    expect(eccPrivateBlob(key)).toEqual(eccPrivateBlob(keyOf(D, X, Y)));
    const point = ECDH.convertKey(`04${X}${Y}`, 'prime256v1', 'hex', 'hex', 'compressed') as string;
    const compressed = `3057020101 0420${D}a00a06082a8648ce3d030107a124032200${point}`.replace(' ', '');
    const other = createPrivateKey({ key: Buffer.from(compressed, 'hex'), format: 'der', type: 'sec1' });
    expect(eccPrivateBlob(other)).toEqual(eccPrivateBlob(keyOf(D, X, Y)));
  });

  it('has the public half that CNG gives out of it', () => {
    const key = generateP256();
    const [own, given] = [eccPrivateBlob(key), eccPublicBlob(spkiDer(key))];
    expect(given.toString('hex')).toBe(`4543533120000000${own.subarray(8, 72).toString('hex')}`);
  });
});
