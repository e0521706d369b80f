import { generateKeyPairSync } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { algorithmFor, keySigner, verifySignature } from '../../../src/pki/signer.ts';

const rsa = (modulusLength: number, publicExponent: number) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent });

describe('an RSA key', () => {
  it('of the usual size and exponent signs and verifies', async () => {
    const { privateKey, publicKey } = rsa(2048, 65_537);
    const data = Buffer.from('statement');
    expect(verifySignature('RS256', publicKey, data, await keySigner(privateKey).sign(data))).toBe(true);
  });

  it.each([
    ['1024 bits', 1024, 65_537],
    ['4104 bits', 4104, 65_537],
    ['another exponent, which a stranger could make large', 2048, 3],
  ])('of %s is not used', (_what, bits, exponent) => {
    expect(algorithmFor(rsa(bits, exponent).publicKey)).toBeUndefined();
  });
});
