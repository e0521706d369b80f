import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

import { readGivenFile, unusable } from '../core/read-given-file.ts';
import { publicJwk } from './keys.ts';
import type { P256Jwk } from '../protocol/common.ts';

const MAX_BYTES = 16 << 10;

/**
 * The public key of somebody who may open what is encrypted: P-256, PEM. A private key is refused: it does not belong on this machine.
 * @param file as given with `--recipient` @throws KiwiError `file-unusable`
 */
export async function readRecipient(file: string): Promise<P256Jwk> {
  const option = '--recipient';
  const pem = (await readGivenFile(file, { option, maxBytes: MAX_BYTES })).toString('utf8');
  if (pem.includes('PRIVATE KEY')) {
    throw unusable(file, 'holds a private key: give its public key, and keep the private one away from this machine', {
      option,
    });
  }
  try {
    return publicJwk(createPublicKey(pem));
  } catch (cause) {
    throw unusable(file, 'is no P-256 public key in PEM', { option, cause });
  }
}

/** The private key of a recipient. @param file as given with `--key` @throws KiwiError `file-unusable` */
export async function readRecipientKey(file: string): Promise<KeyObject> {
  const option = '--key';
  const pem = await readGivenFile(file, { option, maxBytes: MAX_BYTES });
  try {
    const key = createPrivateKey(pem);
    publicJwk(key);
    return key;
  } catch {
    // The reason would say more of the key than anybody needs.
    throw unusable(file, 'is no P-256 private key in PEM', { option });
  } finally {
    pem.fill(0);
  }
}
