import { PLACEHOLDER_SERIALS, SHARED_UUIDS } from './known-placeholders.ts';

const SERIALS: ReadonlySet<string> = new Set(PLACEHOLDER_SERIALS);
const UUIDS: ReadonlySet<string> = new Set(SHARED_UUIDS);

/**
 * True for a meaningless serial: a placeholder, one character repeated, or shorter than 3 characters. Takes a normalised
 * value.
 */
export function isPlaceholderSerial(value: string): boolean {
  return SERIALS.has(value) || value.length < 3 || /^(.?)\1*$/u.test(value.replace(/[\s.:_-]/g, ''));
}

/** True for a UUID that several machines share, or that only repeats one digit. Takes a normalised value. */
export function isPlaceholderUuid(value: string): boolean {
  return UUIDS.has(value) || /^([0-9a-f])\1*$/.test(value.replaceAll('-', ''));
}
