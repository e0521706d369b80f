import { randomBytes, randomInt } from 'node:crypto';

import { SecretBytes } from '../../../core/secret-bytes.ts';
import type { AccessSecrets } from '../../../token/set-access.ts';

/** The longest that PIV allows, which the FIPS series demands (SP 800-73-4, part 2, section 2.4.3). */
const DIGITS = 8;
/** For 3DES and AES-192 alike. */
const KEY_BYTES = 24;
/** Everybody tries these first. */
const OBVIOUS = /^(?:(\d)\1{7}|12345678|87654321|01234567|98765432)$/u;

/** New, random secrets of a YubiKey. The caller clears them. */
export function makeSecrets(): AccessSecrets {
  return { pin: digits(), puk: digits(), managementKey: hexadecimal() };
}

export function clearSecrets(secrets: AccessSecrets): void {
  for (const secret of Object.values(secrets) as SecretBytes[]) secret.clear();
}

function digits(): SecretBytes {
  const bytes = Buffer.alloc(DIGITS);
  do for (let at = 0; at < DIGITS; at++) bytes[at] = 0x30 + randomInt(10);
  while (OBVIOUS.test(bytes.toString('latin1')));
  return new SecretBytes(bytes);
}

function hexadecimal(): SecretBytes {
  const key = randomBytes(KEY_BYTES);
  const text = Buffer.alloc(2 * KEY_BYTES);
  text.write(key.toString('hex'), 'latin1');
  key.fill(0);
  return new SecretBytes(text);
}
