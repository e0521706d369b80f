import { generateKeyPairSync, randomInt } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { sha256 } from '../../../src/core/bytes.ts';
import { generateP256Pair, publicJwk, spkiDer } from '../../../src/pki/keys.ts';
import { makeCredential } from '../../../src/pki/tpm-credential.ts';
import { readTpmPublic, TpmError } from '../../../src/pki/tpm-public.ts';

const { publicKey } = generateP256Pair();
const { x, y } = publicJwk(publicKey);

interface Fields {
  readonly type: string;
  readonly nameAlg: string;
  readonly attributes: string;
  readonly policy: string;
  readonly symmetric: string;
  readonly scheme: string;
  readonly curve: string;
  readonly kdf: string;
  readonly x: string;
  readonly y: string;
}
const hex = (text: string): string => Buffer.from(text, 'base64url').toString('hex');
const GOOD: Fields = {
  ...{ type: '0023', nameAlg: '000b', attributes: '00060472', policy: '0000', symmetric: '0010', scheme: '0010' },
  ...{ curve: '0003', kdf: '0010', x: `0020${hex(x)}`, y: `0020${hex(y)}` },
};

/** In the order of TPMT_PUBLIC (TPM 2.0, part 2, section 12.2.4), with its length in front. */
function publicArea(changes: Partial<Fields> = {}): Buffer {
  const area = Buffer.from(Object.values({ ...GOOD, ...changes }).join(''), 'hex');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(area.length);
  return Buffer.concat([length, area]);
}

describe('the public area of a device key in a TPM', () => {
  it.each(['00060472', '00060072'])('with the attributes %s is read, and named', (attributes) => {
    const area = publicArea({ attributes });
    const { name, publicKey: read } = readTpmPublic(area);
    expect(spkiDer(read).equals(spkiDer(publicKey))).toBe(true);
    expect(name.toString('hex')).toBe(`000b${sha256(area.subarray(2)).toString('hex')}`);
  });

  it.each<[string, Partial<Fields>]>([
    ['an RSA key', { type: '0001' }],
    ['another name algorithm', { nameAlg: '0004' }],
    ['no fixedTPM', { attributes: '00060470' }],
    ['no fixedParent', { attributes: '00060462' }],
    ['an imported key: no sensitiveDataOrigin', { attributes: '00060452' }],
    ['no userWithAuth', { attributes: '00060432' }],
    ['a key that cannot sign', { attributes: '00020472' }],
    ['a key that cannot agree', { attributes: '00040472' }],
    ['a restricted key', { attributes: '00070472' }],
    ['adminWithPolicy', { attributes: '000604f2' }],
    ['a reserved bit', { attributes: '80060472' }],
    ['encryptedDuplication', { attributes: '00060c72' }],
    ['a policy', { policy: `0020${'00'.repeat(32)}` }],
    ['a symmetric algorithm', { symmetric: '000600800043' }],
    ['a scheme', { scheme: '0018000b' }],
    ['P-384', { curve: '0004' }],
    ['a key derivation', { kdf: '0020000b' }],
    ['a point that is not on the curve', { y: `0020${'01'.repeat(32)}` }],
    ['no x', { x: '0000' }],
    ['a long x', { x: `0021${'00'.repeat(33)}` }],
  ])('with %s is refused', (_what, changes) => {
    expect(() => readTpmPublic(publicArea(changes))).toThrow(TpmError);
  });

  it('of any other length is refused', () => {
    const good = publicArea();
    for (let length = 0; length < good.length; length++) {
      expect(() => readTpmPublic(good.subarray(0, length))).toThrow(TpmError);
    }
    expect(() => readTpmPublic(Buffer.concat([good, Buffer.from([0])]))).toThrow(TpmError);
    expect(() => readTpmPublic(Buffer.alloc(100_000))).toThrow(TpmError);
  });

  it('altered anywhere is refused, or has another name', () => {
    const good = publicArea();
    const { name } = readTpmPublic(good);
    for (let round = 0; round < 2000; round++) {
      const bent = Buffer.from(good);
      const at = randomInt(bent.length);
      bent[at] = (bent[at] ?? 0) ^ randomInt(1, 256);
      try {
        expect(readTpmPublic(bent).name.equals(name)).toBe(false);
      } catch (error) {
        expect(error).toBeInstanceOf(TpmError);
      }
    }
  });
});

describe('a credential', () => {
  const { publicKey: ek } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [name, seed] = [Buffer.from(`000b${'11'.repeat(32)}`, 'hex'), Buffer.alloc(32, 7)];
  const idObject = (of: Buffer, secret = 1): string =>
    makeCredential(ek, of, Buffer.alloc(32, secret), seed).idObject.toString('hex');

  it('has the form of a TPM2B_ID_OBJECT, and depends on name and secret', () => {
    const { idObject: id, encryptedSecret } = makeCredential(ek, name, Buffer.alloc(32, 1), seed);
    // length ‖ length of the HMAC ‖ HMAC ‖ encrypted TPM2B_DIGEST
    expect(id.length).toBe(2 + 2 + 32 + 2 + 32);
    expect([id.readUInt16BE(0), id.readUInt16BE(2)]).toEqual([68, 32]);
    expect(encryptedSecret.length).toBe(2 + 256);
    expect(idObject(name)).toBe(idObject(name));
    const another = Buffer.from(`000b${'12'.repeat(32)}`, 'hex');
    expect(new Set([idObject(name), idObject(another), idObject(name, 2)]).size).toBe(3);
  });

  it('is made for no other kind of endorsement key', () => {
    const { publicKey: long } = generateKeyPairSync('rsa', { modulusLength: 3072 });
    for (const key of [long, publicKey]) {
      expect(() => makeCredential(key, name, Buffer.alloc(32), seed)).toThrow(TpmError);
    }
    for (const length of [0, 33]) expect(() => makeCredential(ek, name, Buffer.alloc(length))).toThrow(TypeError);
  });
});
