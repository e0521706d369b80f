import { randomBytes } from 'node:crypto';

import { expect, it } from 'vitest';

import { generateP256 } from '../../../src/pki/keys.ts';
import { readTpmKeyPem, tpmKeyPem } from '../../../src/pki/tpm-key-file.ts';

/** As tpm2_encodeobject (tpm2-tools 5.4) writes one, with a P-256 parent of the owner and no password. */
const KEY = { publicArea: randomBytes(88), privateArea: randomBytes(128) };

const pem = (der: string): Buffer =>
  Buffer.from(
    `-----BEGIN TSS2 PRIVATE KEY-----\n${Buffer.from(der, 'hex').toString('base64')}\n-----END TSS2 PRIVATE KEY-----\n`,
  );

it('the file of a key in a TPM is read as it was written, whatever stands before it', () => {
  expect(readTpmKeyPem(Buffer.from(`# A note.\n${tpmKeyPem(KEY)}`))).toEqual(KEY);
  expect(tpmKeyPem(KEY)).toMatch(
    /^-----BEGIN TSS2 PRIVATE KEY-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+-----END TSS2 PRIVATE KEY-----\n$/u,
  );
});

it('another key is none of a TPM', () => {
  expect(readTpmKeyPem(Buffer.from(generateP256().export({ type: 'pkcs8', format: 'pem' })))).toBeUndefined();
  expect(readTpmKeyPem(Buffer.alloc(0))).toBeUndefined();
});

it.each([
  ['with a persistent parent', '301d06066781050a0103a0030101ff020481000001040201020402abcd'],
  ['with a password', '301806066781050a0103020440000001040201020402abcd'],
  ['of another type', '301d06066781050a0104a0030101ff020440000001040201020402abcd'],
  ['with bytes behind it', '301d06066781050a0103a0030101ff020440000001040201020402abcd00'],
  ['without its private part', '301906066781050a0103a0030101ff02044000000104020102'],
  ['that is no DER', 'ff00'],
  ['that is empty', ''],
])('a key %s is refused, because we do not write it', (_what, der) => {
  expect(() => readTpmKeyPem(pem(der))).toThrow('another kind of key file');
});
