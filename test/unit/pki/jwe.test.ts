import { deflateRawSync } from 'node:zlib';

import { compactDecrypt, CompactEncrypt, type CompactJWEHeaderParameters } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';

import { decryptWith, encryptTo } from '../../../src/pki/jwe.ts';
import { JoseError } from '../../../src/pki/jws.ts';
import { generateP256, jwkToKey, publicJwk } from '../../../src/pki/keys.ts';

const TYP = 'kiwi-test+jwe';
const key = generateP256();
const secret = 'the pre-shared key';
let jwe = '';
beforeAll(async () => {
  jwe = await encryptTo(publicJwk(key), secret, TYP);
});

const failure = (text: string, typ = TYP): Promise<unknown> =>
  decryptWith(key, text, typ).then(
    () => 'decrypted',
    (error: unknown) => error,
  );
const parts = (): string[] => jwe.split('.');
const made = (header: CompactJWEHeaderParameters & { alg: string; enc: string }, data: Uint8Array = Buffer.from('x')) =>
  new CompactEncrypt(data).setProtectedHeader(header);

describe('a JWE', () => {
  it('goes to its recipient, also when that one uses another library', async () => {
    expect((await decryptWith(key, jwe, TYP)).toString()).toBe(secret);
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, key);
    expect(Buffer.from(plaintext).toString()).toBe(secret);
    expect(Object.keys(protectedHeader).sort()).toEqual(['alg', 'enc', 'epk', 'typ']);
  });

  it('shows nothing of its content and has a key of its own each time', async () => {
    const other = await encryptTo(publicJwk(key), secret, TYP);
    expect(other.split('.')[0]).not.toBe(jwe.split('.')[0]);
    expect(Buffer.from(parts()[3] ?? '', 'base64url').includes(secret)).toBe(false);
    expect(parts()[1]).toBe('');
  });

  it('is closed to anybody else', async () => {
    const refusal = await decryptWith(generateP256(), jwe, TYP).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(JoseError);
    // Told apart by its reason, not by its words: another form is a fault of the message, this one perhaps of the key.
    expect(refusal).toMatchObject({ reason: 'undecryptable' });
    expect(await failure('x.y')).toMatchObject({ reason: 'malformed' });
  });

  it('is refused when any character of it is another', async () => {
    for (let at = 0; at < jwe.length; at++) {
      const other = jwe[at] === 'A' ? 'B' : 'A';
      const result = await failure(jwe.slice(0, at) + other + jwe.slice(at + 1));
      expect([at, result instanceof JoseError]).toEqual([at, true]);
    }
  });

  it('is refused in every other spelling of the same bytes: its hash names it', async () => {
    const [header = '', , iv = '', text = '', tag = ''] = parts();
    const last = tag.slice(-1);
    // The last character of a 16-byte tag carries two bits; the other four have to be zero.
    const sibling =
      'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'['AQgw'.indexOf(last) * 16 + 1] ?? '';
    for (const form of [
      `${header}..${iv}.${text}.${tag.slice(0, -1)}${sibling}`,
      `${header}..${iv}.${text}.${tag}==`,
      `${header}..${iv}.${text}.${tag}\n`,
      `${header}..${iv}. ${text}.${tag}`,
      `${header}=..${iv}.${text}.${tag}`,
      `${header}.AAAA.${iv}.${text}.${tag}`,
      `${header}..${iv}.${text}.${tag}.`,
    ]) {
      expect(await failure(form)).toBeInstanceOf(JoseError);
    }
  });

  it('is refused as something else than it is', async () => {
    expect(await failure(jwe, 'kiwi-grant+jwe')).toMatchObject({ message: 'another typ' });
  });

  it.each<[string, () => Promise<string>]>([
    [
      'a shorter content key',
      () => made({ alg: 'ECDH-ES', enc: 'A128GCM', typ: TYP }).encrypt(jwkToKey(publicJwk(key))),
    ],
    ['CBC', () => made({ alg: 'ECDH-ES', enc: 'A256CBC-HS512', typ: TYP }).encrypt(jwkToKey(publicJwk(key)))],
    [
      'a wrapped key',
      () => made({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', typ: TYP }).encrypt(jwkToKey(publicJwk(key))),
    ],
    ['a symmetric key', () => made({ alg: 'dir', enc: 'A256GCM', typ: TYP }).encrypt(new Uint8Array(32))],
    ['a kid', () => made({ alg: 'ECDH-ES', enc: 'A256GCM', typ: TYP, kid: 'x' }).encrypt(jwkToKey(publicJwk(key)))],
    [
      'apu',
      () =>
        made({ alg: 'ECDH-ES', enc: 'A256GCM', typ: TYP })
          .setKeyManagementParameters({ apu: Buffer.from('a') })
          .encrypt(jwkToKey(publicJwk(key))),
    ],
    ['no typ', () => made({ alg: 'ECDH-ES', enc: 'A256GCM' }).encrypt(jwkToKey(publicJwk(key)))],
    [
      'compression',
      async () => {
        const text = await made({ alg: 'ECDH-ES', enc: 'A256GCM', typ: TYP }, deflateRawSync('x')).encrypt(
          jwkToKey(publicJwk(key)),
        );
        const [header = '', ...rest] = text.split('.');
        const value = JSON.parse(Buffer.from(header, 'base64url').toString()) as object;
        return [Buffer.from(JSON.stringify({ ...value, zip: 'DEF' })).toString('base64url'), ...rest].join('.');
      },
    ],
  ])('is refused with %s', async (_what, make) => {
    expect(await failure(await make())).toBeInstanceOf(JoseError);
  });

  it.each(['', '.', '....', 'a.b.c.d.e', '{}', 'e30....', '\0'])('is not %j', async (text) => {
    expect(await failure(text)).toBeInstanceOf(JoseError);
  });

  it('is refused when its header names a member twice', async () => {
    const [header = '', ...rest] = parts();
    const text = Buffer.from(header, 'base64url').toString().replace('{', '{"enc":"A128GCM",');
    expect(await failure([Buffer.from(text).toString('base64url'), ...rest].join('.'))).toBeInstanceOf(JoseError);
  });

  it('is not made for a point that is not on the curve', async () => {
    const { x } = publicJwk(key);
    await expect(encryptTo({ ...publicJwk(key), y: x }, 'x', TYP)).rejects.toThrow();
  });
});
