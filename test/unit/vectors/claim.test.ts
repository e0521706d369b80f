import { createHash, createHmac, createPrivateKey, createPublicKey, hkdfSync, verify } from 'node:crypto';

import { expect, test } from 'vitest';

import { openClaimChallenge } from '../../../src/laptop/exchange/open-challenge.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { decryptWith } from '../../../src/pki/jwe.ts';
import { bootstrap } from '../../../src/protocol/bootstrap.ts';
import { TYP } from '../../../src/protocol/common.ts';
import * as V from '../../vectors/vector.ts';

// The vector of section 14, by node:crypto alone, and by our own reader.

const vector = V.vector('claim', V.CLAIM);
const { certificates } = V.vector('certificates', V.CERTIFICATES);
const { keys } = V.vector('keys', V.KEYS);
const token = bootstrap.parse(JSON.parse(vector.token));
const key = Buffer.from(vector.key, 'hex');
const sha256 = (data: Uint8Array | string): Buffer => createHash('sha256').update(data).digest();
const mac = (label: string, ...parts: readonly Buffer[]): string =>
  createHmac('sha256', key)
    .update(Buffer.concat([Buffer.from(`${label}\0`), ...parts]))
    .digest('base64url');
const gateway = parseCertificate(certificates['gateway']?.pem ?? '');

test('the key follows from the secret', () => {
  const info = `kiwi/1 claim key\0${token.tokenId}`;
  expect(Buffer.from(hkdfSync('sha256', Buffer.from(token.secret, 'base64url'), '', info, 32))).toEqual(key);
});

test('both proofs are as the document says', () => {
  const { tokenProof, serverNonce } = JSON.parse(vector.challenge.payload) as Record<string, string>;
  const over = [sha256(vector.hello.bytes), Buffer.from(serverNonce ?? '', 'base64url'), sha256(gateway.der)];
  expect(mac('kiwi/1 claim challenge', ...over)).toBe(tokenProof);
  const claim = JSON.parse(vector.claim.payload) as Record<string, string>;
  expect(claim['challengeHash']).toBe(sha256(vector.challenge.jws).toString('base64url'));
  expect(mac('kiwi/1 claim proof', sha256(vector.challenge.jws))).toBe(claim['tokenProof']);
});

test('the claim is signed by the device key, and decrypts to what is shown', async () => {
  const device = createPublicKey(createPrivateKey(keys['device']?.pkcs8 ?? ''));
  const signature = Buffer.from(vector.claim.signature, 'base64url');
  const options = { key: device, dsaEncoding: 'ieee-p1363' } as const;
  expect(verify('sha256', Buffer.from(vector.claim.signingInput), options, signature)).toBe(true);
  const session = createPrivateKey(keys['session']?.pkcs8 ?? '');
  const plain = await decryptWith(session, vector.claim.jwe, TYP.claimEncrypted);
  expect(plain.toString()).toBe(vector.claim.jws);
});

test('our reader takes the challenge with this token, and with no other', () => {
  const asked = {
    ...{ jws: vector.challenge.jws, helloBytes: Buffer.from(vector.hello.bytes), slug: 'acme' },
    ...{ roots: [parseCertificate(certificates['mspRoot']?.pem ?? '')], root: token.root },
    now: Date.parse('2026-03-01T12:00:10.000Z'),
  };
  expect(openClaimChallenge({ ...asked, tokenKey: key }).challenge.customer.slug).toBe('acme');
  expect(() => openClaimChallenge({ ...asked, tokenKey: Buffer.alloc(32) })).toThrow(
    expect.objectContaining({ code: 'claim-token-unknown' }),
  );
  expect(() => openClaimChallenge({ ...asked, root: 'x', tokenKey: key })).toThrow(
    expect.objectContaining({ code: 'slice-root-unknown' }),
  );
});
