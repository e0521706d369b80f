import { CompactEncrypt, compactDecrypt } from 'jose';
import { expect, test } from 'vitest';

import { decryptWith, encryptTo } from '../../../src/pki/jwe.ts';
import { generateP256, jwkToKey, publicJwk } from '../../../src/pki/keys.ts';

const key = generateP256();

test('what we encrypt, jose decrypts', async () => {
  for (const text of ['', 'a', 'x'.repeat(10_000)]) {
    const jwe = await encryptTo(publicJwk(key), text, 'kiwi-test+jwe');
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, key);
    expect(Buffer.from(plaintext).toString()).toBe(text);
    expect(protectedHeader).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM', typ: 'kiwi-test+jwe' });
  }
});

test('what jose encrypts, we decrypt', async () => {
  const jwe = await new CompactEncrypt(Buffer.from('text'))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', typ: 'kiwi-test+jwe' })
    .encrypt(jwkToKey(publicJwk(key)));
  expect((await decryptWith(key, jwe, 'kiwi-test+jwe')).toString()).toBe('text');
});
