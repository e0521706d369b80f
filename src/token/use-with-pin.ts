import { createHash } from 'node:crypto';

import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { parseCertificate } from '../pki/certificate.ts';
import type { EnrollmentKey, SlotKey } from './enrollment-key.ts';
import { checkPin, type PinState } from './pin.ts';
import { findAgain } from './presence.ts';
import type { AskOptions, KeyHost } from './token-host.ts';
import type { KeyRequest } from './wire/messages.ts';

export interface UseOptions {
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
}

/** How the token host is told which key is meant, and what it has to be. */
export type WhichKey = Omit<Extract<KeyRequest, { op: 'sign' }>, 'op' | 'algorithm' | 'data'>;

/** Uses a key in a YubiKey once, asking for its PIN until one is accepted. @param use asks the host */
export async function useWithPin<T>(
  host: KeyHost,
  key: SlotKey | EnrollmentKey,
  options: UseOptions,
  use: (which: WhichKey, options: AskOptions) => Promise<T>,
): Promise<T> {
  for (let refused: KiwiError | undefined; ;) {
    const { pin: state = 'ok' } = await findAgain(host, key, options.signal);
    if (state === 'locked') throw new KiwiError('pin-locked', { detail: 'no tries left' });
    const pin = await options.askPin(state, refused);
    try {
      return await useOnce(key, pin, options, use);
    } catch (error) {
      if (!(error instanceof KiwiError) || (error.code !== 'pin-wrong' && error.code !== 'pin-malformed')) throw error;
      refused = error;
    }
  }
}

async function useOnce<T>(
  key: SlotKey | EnrollmentKey,
  pin: SecretBytes,
  options: UseOptions,
  use: (which: WhichKey, options: AskOptions) => Promise<T>,
): Promise<T> {
  const { signal } = options;
  const touch = key.touchPolicy !== 'never';
  try {
    signal?.throwIfAborted();
    checkPin(pin);
    const touching = touch ? { onSigning: () => options.onTouchExpected?.() } : {};
    const result = await use(whichOf(key), { pin, ...touching, ...(signal ? { signal } : {}) });
    if (touch) options.onTouched?.();
    return result;
  } finally {
    pin.clear();
  }
}

function whichOf(key: SlotKey | EnrollmentKey): WhichKey {
  return {
    serial: key.serial,
    ...(key.reader === undefined ? {} : { reader: key.reader }),
    slot: key.slot,
    pinPolicy: key.pinPolicy,
    touchPolicy: key.touchPolicy,
    keySha256: sha256Hex(parseCertificate(key.attestation).spki),
    ...('certificate' in key ? { certificateSha256: sha256Hex(key.certificate.der) } : {}),
  };
}

const sha256Hex = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
