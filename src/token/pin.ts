import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import type { SlotKey } from './enrollment-key.ts';
import type { KeyHost } from './token-host.ts';
import type { YubikeyReading } from './wire/messages.ts';

/** ok: 3 or more tries; low: 2; final: 1; locked: none. PKCS#11 has no number. */
export type PinState = YubikeyReading['pin'];

/** Reads how many tries are left, without using one up. @throws KiwiError `key-removed`, `key-changed`, `key-busy` */
export async function readPinState(
  host: KeyHost,
  key: Pick<SlotKey, 'serial' | 'reader'>,
  signal?: AbortSignal,
): Promise<PinState> {
  const { readers } = await host.ask({ op: 'presence' }, signal === undefined ? {} : { signal });
  const pin = readers.find(({ serial }) => serial === key.serial)?.pin;
  if (pin !== undefined) return pin;
  const instead = readers.find(({ reader }) => reader === key.reader);
  if (instead?.serial !== undefined) {
    throw new KiwiError('key-changed', { detail: `serial ${instead.serial} is in its place` });
  }
  throw new KiwiError(instead?.held === true ? 'key-busy' : 'key-removed', { detail: `serial ${key.serial} is gone` });
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
