import { KiwiError, never } from '../core/errors.ts';
import { pinFault } from '../core/pin-fault.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import type { YubikeyReading } from './wire/messages.ts';

/** ok: 3 or more tries; low: 2; final: 1; locked: none. PKCS#11 reports no number. */
export type PinState = YubikeyReading['pin'];

/** How many tries a PIN has left, in words. */
export function triesLeft(state: PinState): string {
  switch (state) {
    case 'ok':
      return '3 or more tries left';
    case 'low':
      return '2 tries left';
    case 'final':
      return '1 try left';
    case 'locked':
      return 'no tries left';
    default:
      return never(state);
  }
}

/** @throws KiwiError `pin-malformed` for what cannot be the PIN of a YubiKey: see `pinFault` */
export function checkPin(pin: SecretBytes): void {
  const detail = pinFault(pin.bytes);
  if (detail !== undefined) throw new KiwiError('pin-malformed', { detail });
}
