import { KiwiError, never } from '../core/errors.ts';
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

/**
 * Refuses what cannot be the PIN of a YubiKey before it is sent: OpenSC's module would use up a try, and the 44 characters
 * that an accidental touch types into a PIN field must not reach the card either.
 *
 * @throws KiwiError `pin-malformed`
 */
export function checkPin(pin: SecretBytes): void {
  const refuse = (detail: string): never => {
    throw new KiwiError('pin-malformed', { detail });
  };
  if (pin.length < 6 || pin.length > 8) {
    refuse(pin.length > 40 ? 'too long: was the key touched while typing?' : 'not 6 to 8 characters');
  }
  if (pin.bytes.some((byte) => byte < 0x20 || byte > 0x7e)) refuse('a character that is not plain ASCII');
}
