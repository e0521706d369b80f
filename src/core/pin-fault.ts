const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;

/**
 * Why this cannot be the PIN of a YubiKey, before it is sent to one: OpenSC's module would use up a try, and the 44 characters
 * that an accidental touch types into a PIN field must not reach the card either. A blank at either end is one that was typed
 * or pasted by mistake: `ykman` refuses none, but who has set such a PIN would have to type it everywhere.
 *
 * @returns undefined if it can be one
 */
export function pinFault(pin: Uint8Array): string | undefined {
  if (pin.length > 40) return 'too long: was the key touched while typing?';
  if (isBlank(pin[0])) return 'it begins with a blank';
  if (isBlank(pin.at(-1))) return 'it ends with a blank or a line end';
  if (pin.some((byte) => byte < 0x20 || byte > 0x7e)) return 'a character that is not plain ASCII';
  if (pin.length < 6) return 'too short';
  if (pin.length > 8) return 'too long';
  return undefined;
}
