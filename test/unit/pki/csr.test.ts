import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { CsrError, csrName, makeCsr, makeCsrWith, readCsr } from '../../../src/pki/csr.ts';
import { ecdsaFromDer, ecdsaToDer } from '../../../src/pki/ecdsa-signature.ts';
import { generateP256, spkiDer } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';

const KEYS = [
  ['P-256', generateP256()],
  ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
  ['RSA-2048', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
] as const;

describe('a certificate request', () => {
  it.each(KEYS)('for %s is read back as it was made', async (_kind, key) => {
    const der = await makeCsr(key, 'anna-laptop');
    const { cn, spki } = await readCsr(der);
    expect([cn, csrName(der)]).toEqual(['anna-laptop', 'anna-laptop']);
    expect(spki.equals(spkiDer(key))).toBe(true);
  });

  it('asks its signer once, so that a person touches once', async () => {
    const [, key] = KEYS[0];
    const signer = keySigner(key);
    let asked = 0;
    await makeCsrWith(createPublicKey(key), { alg: signer.alg, sign: (data) => (asked++, signer.sign(data)) }, 'x');
    expect(asked).toBe(1);
  });

  it('signed by another key than the one in it is refused', async () => {
    const other = generateP256();
    const der = await makeCsrWith(createPublicKey(generateP256()), keySigner(other), 'x');
    await expect(readCsr(der)).rejects.toThrow('not signed by the key in it');
  });

  it('is refused when any byte of it is another, or it is cut or longer', async () => {
    const der = await makeCsr(generateP256(), 'x');
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(readCsr(changed), `byte ${at}`).rejects.toThrow(CsrError);
    }
    for (const other of [
      der.subarray(0, -1),
      Buffer.concat([der, Buffer.from([0])]),
      Buffer.alloc(0),
      Buffer.from('x'),
    ]) {
      await expect(readCsr(other)).rejects.toThrow(CsrError);
    }
  });
});

describe('an ECDSA signature', () => {
  it('in DER is what OpenSSL makes of r and s', () => {
    const key = generateP256();
    const data = Buffer.from('x');
    for (let run = 0; run < 64; run++) {
      const raw = sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
      const der = ecdsaToDer(raw);
      expect(der[0]).toBe(0x30);
      expect(ecdsaFromDer(der, 32).equals(raw)).toBe(true);
      expect(verify('sha256', data, createPublicKey(key), der)).toBe(true);
    }
  });

  it('in DER has the shortest positive integers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (raw) => {
        const der = ecdsaToDer(raw);
        const length = der[3] ?? 0;
        const [r, s] = [der.subarray(4, 4 + length), der.subarray(6 + length)];
        for (const [integer, half] of [
          [r, raw.subarray(0, 32)],
          [s, raw.subarray(32)],
        ] as const) {
          expect(BigInt(`0x${integer.toString('hex')}`)).toBe(BigInt(`0x${Buffer.from(half).toString('hex')}`));
          expect((integer[0] ?? 0) < 0x80).toBe(true);
          expect(integer.length === 1 || integer[0] !== 0 || (integer[1] ?? 0) >= 0x80).toBe(true);
        }
      }),
    );
  });
});
