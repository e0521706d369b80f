import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { makeCsr } from '../../../src/pki/csr.ts';
import { generateP256 } from '../../../src/pki/keys.ts';

describe('a certificate request', () => {
  it.each([
    ['P-256', generateP256()],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['RSA-2048', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ])('for %s is one for OpenSSL as well', async (_kind, key) => {
    const args = ['req', '-inform', 'DER', '-noout', '-verify', '-subject', '-pubkey'];
    const input = await makeCsr(key, 'änna');
    const text = execFileSync('/usr/bin/openssl', args, { input, stdio: ['pipe', 'pipe', 'pipe'] }).toString();
    expect(text).toContain('CN = \\C3\\A4nna');
    expect(text).toContain(createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string);
  });
});
