import { createHmac, hkdfSync, randomBytes } from 'node:crypto';

import { beforeAll, expect, test } from 'vitest';

import { digest } from '../../../src/core/bytes.ts';
import type { Certificate } from '../../../src/pki/certificate.ts';
import { challengeProof, claimKey, claimProof, decoyKey } from '../../../src/pki/claim-token.ts';
import { DAY, issueCertificate } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';

const ID = '3f0c1e5a-6a1f-4b0e-9d55-0c7f6f1d2b11';
const secret = Buffer.alloc(32, 7);
const key = claimKey(secret, ID);
let gateway: Certificate;
let other: Certificate;

const certificate = (): Promise<Certificate> =>
  issueCertificate({
    ...{ subject: { cn: 'gateway' }, key: generateP256() },
    ...{ notBefore: new Date(), notAfter: new Date(Date.now() + DAY) },
  });
beforeAll(async () => {
  [gateway, other] = await Promise.all([certificate(), certificate()]);
});

test('the key is HKDF-SHA256 of the secret, with the id in its info', () => {
  expect(key).toEqual(Buffer.from(hkdfSync('sha256', secret, '', `kiwi/1 claim key\0${ID}`, 32)));
});

test('the proofs are HMAC-SHA256 under it, over a label and fixed parts', () => {
  const [helloHash, serverNonce] = [digest('hello'), randomBytes(32).toString('base64url')];
  const parts = [helloHash, serverNonce, digest(gateway.der)].map((text) => Buffer.from(text, 'base64url'));
  const mac = (label: string, ...over: Buffer[]): string =>
    createHmac('sha256', key)
      .update(Buffer.concat([Buffer.from(`${label}\0`), ...over]))
      .digest('base64url');
  expect(challengeProof(key, { helloHash, serverNonce, gateway })).toBe(mac('kiwi/1 claim challenge', ...parts));
  expect(claimProof(key, helloHash)).toBe(mac('kiwi/1 claim proof', parts[0] ?? Buffer.alloc(0)));
});

test('each depends on all that goes in', () => {
  const given = { helloHash: digest('hello'), serverNonce: digest('nonce'), gateway };
  const proofs = [
    challengeProof(key, given),
    challengeProof(claimKey(secret, ID.replace('3', '4')), given),
    challengeProof(claimKey(Buffer.alloc(32, 8), ID), given),
    challengeProof(key, { ...given, helloHash: digest('x') }),
    challengeProof(key, { ...given, serverNonce: digest('x') }),
    challengeProof(key, { ...given, gateway: other }),
    claimProof(key, digest('hello')),
    claimProof(key, digest('x')),
  ];
  expect(new Set(proofs).size).toBe(proofs.length);
});

test('an unknown token has a key of its own, always the same one for a gateway', () => {
  const from = generateP256();
  expect(decoyKey(from, ID)).toEqual(decoyKey(from, ID));
  const keys = [decoyKey(from, ID), decoyKey(from, 'x'), decoyKey(generateP256(), ID)].map((one) =>
    one.toString('hex'),
  );
  expect(new Set(keys).size).toBe(3);
});
