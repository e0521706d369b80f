import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

import { base64url } from '../core/bytes.ts';

const PROOF_LABEL = 'kiwi/1 tpm proof';
const SECRET_LABEL = 'kiwi/1 tpm secret';

/**
 * What shows that the sender of a statement holds its device key in the TPM that the challenge's credential is for: an HMAC under the
 * secret of that credential (docs/protocol.md, section 7). It covers the challenge, and with it the session and the hello.
 *
 * @param challengeHash base64url
 * @returns base64url
 */
export function tpmProof(secret: Uint8Array, challengeHash: string): string {
  const mac = createHmac('sha256', createSecretKey(secret))
    .update(`${PROOF_LABEL}\0`)
    .update(Buffer.from(challengeHash, 'base64url'))
    .digest();
  return base64url(mac);
}

/**
 * The secret of a session's credential: 32 bytes that follow from the session's key, which is stored and deleted with the session, so
 * that nothing more has to be. Another session has another one.
 */
export function tpmSecret(sessionKey: KeyObject, sessionId: string): Buffer {
  const { d } = sessionKey.export({ format: 'jwk' });
  if (d === undefined) throw new TypeError('a private key of the session');
  const material = Buffer.from(d, 'base64url');
  try {
    return Buffer.from(hkdfSync('sha256', material, Buffer.alloc(0), `${SECRET_LABEL}\0${sessionId}`, 32));
  } finally {
    material.fill(0);
  }
}
