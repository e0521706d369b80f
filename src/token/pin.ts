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
 * that an accidental touch types into a PIN field must not reach the card either. A blank at either end is one that was typed
 * or pasted by mistake: `ykman` refuses none, but who has set such a PIN would have to type it everywhere.
 *
 * @throws KiwiError `pin-malformed`
 */
export function checkPin(pin: SecretBytes): void {
  const refuse = (detail: string): never => {
    throw new KiwiError('pin-malformed', { detail });
  };
  const blank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
  if (pin.length > 40) refuse('too long: was the key touched while typing?');
  if (blank(pin.bytes[0])) refuse('it begins with a blank');
  if (blank(pin.bytes.at(-1))) refuse('it ends with a blank or a line end');
  if (pin.bytes.some((byte) => byte < 0x20 || byte > 0x7e)) refuse('a character that is not plain ASCII');
  if (pin.length < 6) refuse('too short');
  if (pin.length > 8) refuse('too long');
}
