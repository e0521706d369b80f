import { createHash, verify } from 'node:crypto';

import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { parseCertificate } from '../pki/certificate.ts';
import type { EnrollmentKey, SlotKey } from './enrollment-key.ts';
import { checkPin, type PinState } from './pin.ts';
import { findAgain } from './presence.ts';
import type { KeyHost } from './token-host.ts';

export interface SignOptions {
  /**
   * Called again with the reason when a PIN was wrong, or could not be one; who cannot be asked again throws the reason. The
   * PIN that it returns is cleared here, whatever happens.
   */
  askPin(state: PinState, refused?: KiwiError): Promise<SecretBytes>;
  /** The PIN was accepted and the key now waits for a touch. Not called for keys whose attested policy asks for none. */
  onTouchExpected?(): void;
  /** The key was touched. */
  onTouched?(): void;
  readonly signal?: AbortSignal;
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
  for (let refused: KiwiError | undefined; ;) {
    const { pin: state = 'ok' } = await findAgain(host, key, options.signal);
    if (state === 'locked') throw new KiwiError('pin-locked', { detail: 'no tries left' });
    const pin = await options.askPin(state, refused);
    try {
      return await signOnce(host, key, data, pin, options);
    } catch (error) {
      if (!(error instanceof KiwiError) || (error.code !== 'pin-wrong' && error.code !== 'pin-malformed')) throw error;
      refused = error;
    }
  }
}

async function signOnce(
  host: KeyHost,
  key: SlotKey | EnrollmentKey,
  data: Uint8Array,
  pin: SecretBytes,
  options: SignOptions,
): Promise<Uint8Array> {
  const { signal } = options;
  const spki = parseCertificate(key.attestation).spki;
  let signature: Buffer;
  const touch = key.touchPolicy !== 'never';
  try {
    signal?.throwIfAborted();
    checkPin(pin);
    const answer = await host.ask(
      {
        op: 'sign',
        serial: key.serial,
        ...(key.reader === undefined ? {} : { reader: key.reader }),
        slot: key.slot,
        algorithm: key.algorithm,
        pinPolicy: key.pinPolicy,
        touchPolicy: key.touchPolicy,
        keySha256: sha256Hex(spki),
        ...('certificate' in key ? { certificateSha256: sha256Hex(key.certificate.der) } : {}),
        data: Buffer.from(data).toString('base64'),
      },
      { pin, ...(touch ? { onSigning: () => options.onTouchExpected?.() } : {}), ...(signal ? { signal } : {}) },
    );
    signature = Buffer.from(answer.signature, 'base64');
  } finally {
    pin.clear();
  }
  if (touch) options.onTouched?.();
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

const sha256Hex = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
