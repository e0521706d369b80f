import { constants, diffieHellman, privateDecrypt, type KeyObject } from 'node:crypto';

import type { EscrowOpener } from '../../src/pki/escrow-jwe.ts';

/** The private half of a recipient in memory, which in the product is in a YubiKey. */
export function escrowOpener(privateKey: KeyObject): EscrowOpener {
  const oaep = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
  // Inside a promise, because a key of the other kind throws.
  return {
    agree: (publicKey) => Promise.resolve().then(() => diffieHellman({ privateKey, publicKey })),
    unwrap: (encryptedKey) => Promise.resolve().then(() => privateDecrypt(oaep, encryptedKey)),
  };
}
