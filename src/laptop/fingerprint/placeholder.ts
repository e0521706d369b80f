/**
 * What firmware vendors leave in place of a serial number, in lower case with single spaces. Two laptops with one of these
 * would look alike. Collected from Fleet's, Snipe-IT's, fwupd's and systemd's lists.
 */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  '',
  '-',
  '-1',
  '.',
  '..',
  '0',
  '00',
  '0123456789',
  '01234567890123456789',
  '123456',
  '12345678',
  '123456789',
  '1234567890',
  'aquarius',
  'asset-1234567890',
  'base board serial number',
  'board serial number',
  'chassis serial number',
  'default',
  'default string',
  'default_string',
  'empty',
  'fill by oem',
  'filled by oem',
  'invalid',
  'n/a',
  'na',
  'no asset information',
  'no asset tag',
  'no serial number',
  'none',
  'not applicable',
  'not available',
  'not defined',
  'not present',
  'not set',
  'not settable',
  'not specified',
  'null',
  'o.e.m.',
  'oem',
  'oem string',
  'to be filled',
  'to be filled by o.e.m',
  'to be filled by o.e.m.',
  'to be filled by oem',
  'serial number',
  'serial',
  'sn',
  'string',
  'sys-1234567890',
  'system serial number',
  'system product name',
  'tbd',
  'type2 - board serial number',
  'undefined',
  'unknown',
  'uninitialized',
  'unspecified',
  'xxxxxxx',
]);

/** SMBIOS UUIDs that were given to thousands of boards. */
const SHARED_UUIDS: ReadonlySet<string> = new Set([
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
  '01020304-0506-0708-090a-0b0c0d0e0f10',
  '10000000-0000-8000-0040-000000000000',
  '11111111-2222-3333-4444-555555555555',
  '12345678-1234-5678-90ab-cddeefaabbcc',
  '12345678-1234-1234-1234-123456789abc',
  'fefefefe-fefe-fefe-fefe-fefefefefefe',
  '4c4c4544-0000-2010-8020-80c04f202020', // Dell without a service tag
  '4c4c4544-0020-2010-8020-a0c04f202020',
]);

/**
 * True for a meaningless serial: a placeholder, one character repeated, or shorter than 3 characters. Takes a normalised
 * value.
 */
export function isPlaceholderSerial(value: string): boolean {
  return PLACEHOLDERS.has(value) || value.length < 3 || /^(.?)\1*$/u.test(value.replace(/[\s.:_-]/g, ''));
}

/** True for a UUID that several machines share, or that only repeats one digit. Takes a normalised value. */
export function isPlaceholderUuid(value: string): boolean {
  return SHARED_UUIDS.has(value) || /^([0-9a-f])\1*$/.test(value.replaceAll('-', ''));
}
