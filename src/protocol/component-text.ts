/** Of a component's value in kiwi-fp/1, and so of the serial number in a statement, UTF-16 code units. */
export const COMPONENT_LENGTH = 128;

/**
 * The canonical form of a component's value in kiwi-fp/1, before what is special to its kind: NFC, lower case, no control
 * characters, single spaces. Firmware updates change case and padding of the same number, so neither may matter.
 */
export function componentText(raw: string): string {
  return raw
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\uFFFD]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()
    .slice(0, COMPONENT_LENGTH)
    .replace(/[\uD800-\uDBFF]$/, '') // half of a character that did not fit
    .trim();
}
