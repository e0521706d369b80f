import type { KeyObject } from 'node:crypto';

import { spkiDer } from '../pki/keys.ts';
import type { EscrowOpener } from '../pki/escrow-jwe.ts';
import type { SlotKey } from './enrollment-key.ts';
import type { KeyHost } from './token-host.ts';
import { useWithPin, type UseOptions } from './use-with-pin.ts';

/** An uncompressed point of P-256 (SEC 1, section 2.3.3): the end of its SubjectPublicKeyInfo. */
const POINT_BYTES = 65;

/** See `Token.opener`. */
export function openerWith(host: KeyHost, key: SlotKey, options: UseOptions): EscrowOpener {
  const open = async (how: 'ecdh' | 'rsa-oaep-256', input: Buffer): Promise<Buffer> => {
    const asked = { op: 'open', how, input: input.toString('base64') } as const;
    const { secret } = await useWithPin(host, key, options, (which, more) => host.ask({ ...asked, ...which }, more));
    return Buffer.from(secret, 'base64');
  };
  return {
    agree: (publicKey: KeyObject) => open('ecdh', spkiDer(publicKey).subarray(-POINT_BYTES)),
    unwrap: (encryptedKey) => open('rsa-oaep-256', encryptedKey),
  };
}
