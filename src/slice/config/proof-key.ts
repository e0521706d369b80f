import { hkdfSync, type KeyObject } from 'node:crypto';

import { x25519PrivateKey } from '../../pki/x25519.ts';

/**
 * The X25519 key with which laptops prove that they hold their WireGuard key. It is derived from a private key that all
 * replicas of a gateway have, so that any of them can check a proof. One for all sessions: what binds a proof to its
 * session is the challenge's hash in it, and a key for each session cost the gateway a tenth of an enrollment.
 *
 * @param from P-256, private
 */
export function proofKey(from: KeyObject): KeyObject {
  const { d } = from.export({ format: 'jwk' });
  if (d === undefined) throw new TypeError('a private key has a d');
  return x25519PrivateKey(
    Buffer.from(hkdfSync('sha256', Buffer.from(d, 'base64url'), '', 'kiwi/1 wireguard proof key', 32)),
  );
}
