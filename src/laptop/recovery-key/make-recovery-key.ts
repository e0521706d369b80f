import { randomBytes } from 'node:crypto';

import { SecretBytes } from '../../core/secret-bytes.ts';

/** The digits of modhex: letters that are on the same keys of all Latin keyboards (Yubico, OTP specification, section 6.2). */
const DIGITS = Buffer.from('cbdefghijklnrtuv', 'latin1');
const KEY_BYTES = 32;
/** A dash after each group of so many digits, as `systemd-cryptenroll --recovery-key` writes it: systemd knows it by that. */
const GROUP = 8;

/** A new recovery key: 256 random bits as 71 characters, that a person can type at boot. The caller clears it. */
export function makeRecoveryKey(): SecretBytes {
  const random = randomBytes(KEY_BYTES);
  const text = Buffer.alloc(KEY_BYTES * 2 + KEY_BYTES / 4 - 1, '-');
  let at = 0;
  for (const [index, byte] of random.entries()) {
    if (index > 0 && (index * 2) % GROUP === 0) at++;
    text[at++] = DIGITS[byte >> 4] ?? 0;
    text[at++] = DIGITS[byte & 15] ?? 0;
  }
  random.fill(0);
  return new SecretBytes(text);
}
