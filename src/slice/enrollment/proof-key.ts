import { hkdfSync, type KeyObject } from 'node:crypto';

import { x25519PrivateKey } from '../../pki/x25519.ts';

/**
 * The session's X25519 key, with which a laptop proves that it holds its WireGuard key. Derived from the session's
 * encryption key, so that both are kept, and deleted, as one.
 *
 * @param sessionKey P-256, private
 */
export function proofKey(sessionKey: KeyObject): KeyObject {
  const { d } = sessionKey.export({ format: 'jwk' });
  if (d === undefined) throw new TypeError('a private key has a d');
  return x25519PrivateKey(
    Buffer.from(hkdfSync('sha256', Buffer.from(d, 'base64url'), '', 'kiwi/1 wireguard proof key', 32)),
  );
}
