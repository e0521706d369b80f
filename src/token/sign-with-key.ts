import { verify } from 'node:crypto';

import { KiwiError } from '../core/errors.ts';
import { parseCertificate } from '../pki/certificate.ts';
import type { EnrollmentKey, SlotKey } from './enrollment-key.ts';
import type { KeyHost } from './token-host.ts';
import { useWithPin, type UseOptions } from './use-with-pin.ts';

export interface SignOptions extends UseOptions {
  /** Of which exchange this is the signature: for a key in the hands of another process, which has to see what it signs. */
  readonly occasion?: {
    /** As it was sent. */
    readonly hello: string;
    /** The answer to it: a compact JWS. */
    readonly challenge: string;
    /** How long the other side waits for the signature. */
    readonly expiresInMs: number;
  };
}

/** See `Token.sign`. */
export async function signWithKey(
  host: KeyHost,
  key: SlotKey | EnrollmentKey,
  data: Uint8Array,
  options: SignOptions,
): Promise<Uint8Array> {
  const { algorithm } = key;
  const asked = { op: 'sign', algorithm, data: Buffer.from(data).toString('base64') } as const;
  const answer = await useWithPin(host, key, options, (which, how) => host.ask({ ...asked, ...which }, how));
  const signature = Buffer.from(answer.signature, 'base64');
  // The module may have signed with another key than the one it showed (libykcs11 2.2.0 does after the YubiKey was replaced).
  requireSignature(key, data, signature);
  return signature;
}

/** @throws KiwiError `key-signature-invalid` unless the attested key has made it, in the form that JWS uses */
export function requireSignature(key: SlotKey, data: Uint8Array, signature: Uint8Array): void {
  const hash = key.algorithm === 'ES384' ? 'sha384' : 'sha256';
  const { spki } = parseCertificate(key.attestation);
  const publicKey = { key: spki, format: 'der', type: 'spki', dsaEncoding: 'ieee-p1363' } as const;
  if (!verify(hash, data, publicKey, signature)) throw new KiwiError('key-signature-invalid');
}
