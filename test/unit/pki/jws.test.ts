import { constants, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

import { p256, p384 as nist } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { compactVerify, CompactSign } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import { toLowS } from '../../../src/pki/ecdsa-signature.ts';
import { JoseError, openCompact, openGeneral, signCompact, signGeneral, signingInput } from '../../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import { algorithmFor, canonicalSignature, keySigner, verifySignature } from '../../../src/pki/signer.ts';
import { makeIntermediate, makeRoot, type Authority } from './test-authority.ts';

const TYP = 'kiwi-test+jws';
const key = generateP256();
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A compact JWS with any header at all, rightly signed by ES256. */
function signedWith(header: unknown, payload = '{}', by: KeyObject = key): string {
  const input = `${typeof header === 'string' ? Buffer.from(header).toString('base64url') : b64(header)}.${Buffer.from(payload).toString('base64url')}`;
  return `${input}.${toLowS(sign('sha256', Buffer.from(input), { key: by, dsaEncoding: 'ieee-p1363' })).toString('base64url')}`;
}

const ORDER = { P256: p256.Point.Fn.ORDER, P384: nist.Point.Fn.ORDER };

/** The same message with the other of the two signatures that an ECDSA signature is: s becomes n − s. */
function withOtherS(jws: string, order: bigint): string {
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const raw = Buffer.from(signature, 'base64url');
  const half = raw.length / 2;
  const s = order - BigInt(`0x${raw.subarray(half).toString('hex')}`);
  raw.write(s.toString(16).padStart(2 * half, '0'), half, 'hex');
  return [header, payload, raw.toString('base64url')].join('.');
}

const open = (jws: string) => () => openCompact(jws, TYP);

let root: Authority;
let intermediate: Authority;
beforeAll(async () => {
  root = await makeRoot();
  intermediate = await makeIntermediate(root);
});

describe('a compact JWS', () => {
  it.each([
    ['ES256', key],
    ['ES384', p384],
    ['RS256', rsa],
  ] as const)('made with %s is verified by another library', async (alg, privateKey) => {
    const jws = await signCompact({ typ: TYP, payload: 'héllo', signer: keySigner(privateKey) });
    const { payload, protectedHeader } = await compactVerify(jws, createPublicKey(privateKey));
    expect(Buffer.from(payload).toString()).toBe('héllo');
    expect(protectedHeader).toEqual({ alg, typ: TYP });
  });

  it.each([
    ['ES256', key],
    ['ES384', p384],
    ['RS256', rsa],
  ] as const)('made with %s by another library is verified once s is low', async (alg, privateKey) => {
    const made = await new CompactSign(Buffer.from('x')).setProtectedHeader({ alg, typ: TYP }).sign(privateKey);
    const [header = '', payload = '', signature = ''] = made.split('.');
    const canonical = canonicalSignature(alg, Buffer.from(signature, 'base64url'));
    const opened = openCompact([header, payload, base64url(canonical)].join('.'), TYP);
    expect(opened.payload.toString()).toBe('x');
    expect(opened.verify(privateKey)).toBe(true);
  });

  it.each([
    ['ES256', key, ORDER.P256],
    ['ES384', p384, ORDER.P384],
  ] as const)('made with %s has the lower of the two s, and no other is verified', async (_alg, privateKey, order) => {
    for (let turn = 0; turn < 16; turn++) {
      const jws = await signCompact({ typ: TYP, payload: `${turn}`, signer: keySigner(privateKey) });
      expect(openCompact(jws, TYP).verify(privateKey)).toBe(true);
      const twin = withOtherS(jws, order);
      // The twin is a signature as well, as another library says: it would be the same message with another hash.
      expect(Buffer.from((await compactVerify(twin, createPublicKey(privateKey))).payload).toString()).toBe(`${turn}`);
      expect(openCompact(twin, TYP).verify(privateKey)).toBe(false);
    }
  });

  it('is made canonical from any signer: a YubiKey does not choose the lower s', async () => {
    const honest = keySigner(key);
    for (let turn = 0; turn < 16; turn++) {
      const jws = await signCompact({ typ: TYP, payload: `${turn}`, signer: honest });
      const high = Buffer.from(withOtherS(jws, ORDER.P256).split('.')[2] ?? '', 'base64url');
      const signer = { alg: 'ES256' as const, sign: () => Promise.resolve(high) };
      expect(await signCompact({ typ: TYP, payload: `${turn}`, signer })).toBe(jws);
    }
  });

  it('gives the payload’s bytes back unchanged', async () => {
    const signer = keySigner(key);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (payload) => {
        const opened = openCompact(await signCompact({ typ: TYP, payload, signer }), TYP);
        expect(opened.payload.equals(payload)).toBe(true);
        expect(opened.verify(key)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('is no longer verified, or no longer read, when any character of it is another', async () => {
    const jws = await signCompact({
      typ: TYP,
      payload: '{"a":1}',
      signer: keySigner(key),
      kid: jwkThumbprint(publicJwk(key)),
    });
    for (let at = 0; at < jws.length; at++) {
      const other = jws[at] === 'A' ? 'B' : 'A';
      const changed = jws.slice(0, at) + other + jws.slice(at + 1);
      let verified = false;
      try {
        verified = openCompact(changed, TYP).verify(key);
      } catch (error) {
        expect(error).toBeInstanceOf(JoseError);
      }
      expect([at, verified]).toEqual([at, false]);
    }
  });

  it('is read as nothing else: the typ has to be the one that is expected', async () => {
    const jws = await signCompact({ typ: 'kiwi-grant+jws', payload: '{}', signer: keySigner(key) });
    expect(() => openCompact(jws, 'kiwi-challenge+jws')).toThrow('another typ');
    for (const typ of ['KIWI-TEST+JWS', 'application/kiwi-test+jws', 'kiwi-test', '']) {
      expect(open(signedWith({ alg: 'ES256', typ }))).toThrow('another typ');
    }
  });

  it.each([
    ['no typ', { alg: 'ES256' }],
    ['no alg', { typ: TYP }],
    ['alg none', { alg: 'none', typ: TYP }],
    ['an HMAC', { alg: 'HS256', typ: TYP }],
    ['PSS', { alg: 'PS256', typ: TYP }],
    ['EdDSA', { alg: 'EdDSA', typ: TYP }],
    ['crit', { alg: 'ES256', typ: TYP, crit: ['exp'], exp: 1 }],
    ['b64', { alg: 'ES256', typ: TYP, b64: false }],
    ['jku', { alg: 'ES256', typ: TYP, jku: 'https://evil.example/keys' }],
    ['x5u', { alg: 'ES256', typ: TYP, x5u: 'https://evil.example/cert' }],
    ['x5t', { alg: 'ES256', typ: TYP, 'x5t#S256': 'AAAA' }],
    ['cty', { alg: 'ES256', typ: TYP, cty: 'JWT' }],
    ['a private key', { alg: 'ES256', typ: TYP, jwk: { ...publicJwk(key), d: 'AAAA' } }],
    ['another curve', { alg: 'ES256', typ: TYP, jwk: { ...publicJwk(key), crv: 'P-384' } }],
    ['a kid that is no thumbprint', { alg: 'ES256', typ: TYP, kid: '../../etc/passwd' }],
    ['no certificate in x5c', { alg: 'ES256', typ: TYP, x5c: [] }],
    ['too many certificates', { alg: 'ES256', typ: TYP, x5c: ['AAAA', 'AAAA', 'AAAA', 'AAAA'] }],
    ['x5c that is no list', { alg: 'ES256', typ: TYP, x5c: 'AAAA' }],
  ])('is refused with a header parameter that kiwi/1 does not have: %s', (_what, header) => {
    expect(open(signedWith(header))).toThrow('header parameters that kiwi/1 does not have');
  });

  it.each([
    ['a name twice', `{"alg":"ES256","typ":"${TYP}","alg":"none"}`],
    ['no JSON', 'alg=ES256'],
    ['a byte order mark', `\ufeff{"alg":"ES256","typ":"${TYP}"}`],
  ])('is refused with a header that has %s', (_what, header) => {
    expect(open(signedWith(header))).toThrow('header is not JSON');
  });

  it('is refused in another form of base64url than the one', async () => {
    const jws = await signCompact({ typ: TYP, payload: 'x', signer: keySigner(key) });
    const [header = '', payload = '', signature = ''] = jws.split('.');
    const forms = [
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}==.${signature}`,
      `${header}.eB.${signature}`, // 'eA' with a bit behind its end
      `${header}.${payload}.${signature}\n`,
      ` ${jws}`,
      `${header}..${signature}`,
      `${header}.${payload}.`,
    ];
    for (const form of forms) expect(open(form)).toThrow('not canonical base64url');
    for (const form of [`${header}.${payload}`, `${jws}.`, `${jws}.AAAA.AAAA`, '']) {
      expect(open(form)).toThrow('not a compact JWS');
    }
  });

  it('throws nothing but its own error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.base64String(), { maxLength: 4 }).map((parts) => parts.join('.')),
        ),
        (jws) => {
          try {
            openCompact(jws, TYP);
          } catch (error) {
            expect(error).toBeInstanceOf(JoseError);
          }
        },
      ),
    );
  });
});

describe('x5c', () => {
  it('carries certificates, leaf first', async () => {
    const x5c = [intermediate.certificate.der, root.certificate.der];
    const opened = openCompact(
      await signCompact({ typ: TYP, payload: 'x', signer: keySigner(intermediate.key), x5c }),
      TYP,
    );
    expect(opened.x5c.map(({ subject }) => subject.cn)).toEqual(['KiwiStack acme intermediate', 'Test MSP root']);
    expect(opened.verify(intermediate.certificate.publicKey)).toBe(true);
  });

  it.each<[string, () => string, string]>([
    ['rubbish', () => Buffer.from('no certificate').toString('base64'), 'x5c holds no certificate'],
    ['an empty text', () => '', 'x5c holds no certificate'],
    ['base64url', () => Buffer.alloc(9, 0xff).toString('base64url'), 'header parameters'],
    ['PEM', () => root.certificate.pem, 'header parameters'],
    ['base64 with bits behind its end', () => 'QR==', 'x5c is not canonical base64'],
    [
      'two certificates in one',
      () => Buffer.concat([root.certificate.der, root.certificate.der]).toString('base64'),
      'x5c holds no certificate',
    ],
    [
      'a byte behind the certificate',
      () => Buffer.concat([root.certificate.der, Buffer.from([0])]).toString('base64'),
      'x5c holds no certificate',
    ],
    ['half a certificate', () => root.certificate.der.subarray(0, 200).toString('base64'), 'x5c holds no certificate'],
  ])('with %s is refused', (_what, entry, message) => {
    expect(open(signedWith({ alg: 'ES256', typ: TYP, x5c: [entry()] }))).toThrow(message);
  });
});

describe('the algorithm', () => {
  it('follows the key: a header that names another one is not believed', () => {
    const confused = signedWith({ alg: 'RS256', typ: TYP });
    expect(openCompact(confused, TYP).verify(key)).toBe(false);
    expect(openCompact(signedWith({ alg: 'ES256', typ: TYP }), TYP).verify(rsa)).toBe(false);
    expect(openCompact(signedWith({ alg: 'ES256', typ: TYP }), TYP).verify(p384)).toBe(false);
  });

  it('is one for each kind of key, and none for a kind that kiwi/1 does not use', () => {
    expect([key, p384, rsa].map(algorithmFor)).toEqual(['ES256', 'ES384', 'RS256']);
    const others = [
      generateKeyPairSync('ed25519').privateKey,
      generateKeyPairSync('x25519').privateKey,
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
      generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey,
      generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey,
    ];
    for (const other of others) {
      expect(algorithmFor(other)).toBeUndefined();
      expect(() => keySigner(other)).toThrow(TypeError);
    }
  });

  it('of RSA is PKCS #1 v1.5, not PSS', () => {
    const data = Buffer.from('x');
    expect(verifySignature('RS256', rsa, data, sign('sha256', data, rsa))).toBe(true);
    const pss = sign('sha256', data, { key: rsa, padding: constants.RSA_PKCS1_PSS_PADDING });
    expect(verifySignature('RS256', rsa, data, pss)).toBe(false);
  });

  it('of EC has r‖s of fixed length: DER, shorter and longer ones are false and no exception', () => {
    const data = Buffer.from('x');
    expect(verifySignature('ES256', key, data, sign('sha256', data, key))).toBe(false);
    for (const length of [0, 1, 63, 65, 128])
      expect(verifySignature('ES256', key, data, Buffer.alloc(length, 1))).toBe(false);
    expect(verifySignature('ES256', key, data, Buffer.alloc(64))).toBe(false);
  });
});

describe('a general JWS', () => {
  const make = (payload = '{}'): Promise<string> =>
    signGeneral({
      payload,
      signatures: [
        { typ: TYP, signer: keySigner(p384), x5c: [intermediate.certificate.der] },
        { typ: TYP, signer: keySigner(key), jwk: publicJwk(key) },
      ],
    });

  it('has two signatures over the same bytes, in the order in which they were made', async () => {
    const { payload, signatures } = openGeneral(await make('{"a":1}'), TYP, 9999);
    expect(payload.toString()).toBe('{"a":1}');
    expect(signatures).toHaveLength(2);
    expect(signatures[0]?.verify(p384)).toBe(true);
    expect(signatures[1]?.verify(key)).toBe(true);
    expect(signatures[0]?.verify(key)).toBe(false);
    expect(signatures[1]?.verify(p384)).toBe(false);
    expect(signatures[1]?.header.jwk).toEqual(publicJwk(key));
  });

  it('signs header and payload as in RFC 7515', async () => {
    const raw = JSON.parse(await make()) as { payload: string; signatures: { protected: string; signature: string }[] };
    const [, second] = raw.signatures;
    const input = signingInput(second?.protected ?? '', raw.payload);
    expect(input.toString()).toBe(`${second?.protected ?? ''}.${raw.payload}`);
    expect(verifySignature('ES256', key, input, Buffer.from(second?.signature ?? '', 'base64url'))).toBe(true);
  });

  it('has no signature of another typ, also not as its second', async () => {
    const mixed = await signGeneral({
      payload: '{}',
      signatures: [
        { typ: TYP, signer: keySigner(key) },
        { typ: 'kiwi-grant+jws', signer: keySigner(key) },
      ],
    });
    expect(() => openGeneral(mixed, TYP, 9999)).toThrow('another typ');
  });

  it.each<[string, (raw: { payload: string; signatures: object[] }) => unknown, string]>([
    [
      'an unprotected header',
      (raw) => ({ ...raw, signatures: [{ ...raw.signatures[0], header: { kid: 'x' } }] }),
      'not a general JWS',
    ],
    ['no signatures', (raw) => ({ ...raw, signatures: [] }), 'not a general JWS'],
    [
      'five signatures',
      (raw) => ({ ...raw, signatures: Array.from({ length: 5 }, () => raw.signatures[0]) }),
      'not a general JWS',
    ],
    ['a flattened form', (raw) => ({ payload: raw.payload, ...raw.signatures[0] }), 'not a general JWS'],
    ['another member', (raw) => ({ ...raw, more: 1 }), 'not a general JWS'],
    ['an empty payload', (raw) => ({ ...raw, payload: '' }), 'not canonical base64url'],
    ['a payload with padding', (raw) => ({ ...raw, payload: `${raw.payload}=` }), 'not canonical base64url'],
  ])('is refused with %s', async (_what, change, message) => {
    const raw = JSON.parse(await make()) as { payload: string; signatures: object[] };
    expect(() => openGeneral(JSON.stringify(change(raw)), TYP, 9999)).toThrow(message);
  });

  it('is refused when it is too large or has a duplicate member', async () => {
    const text = await make();
    expect(() => openGeneral(text, TYP, text.length - 1)).toThrow('not JSON');
    expect(() => openGeneral(text.replace('{', '{"payload":"e30",'), TYP, 9999)).toThrow('not JSON');
  });
});
