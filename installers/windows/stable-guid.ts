import { createHash } from 'node:crypto';

/**
 * A GUID that is always the same for the same words, as Windows Installer writes it: `{7C5E2C4B-…}`. Its version is 8, for a construction of one's
 * own (RFC 9562, section 5.8).
 */
export function stableGuid(...words: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(words)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex').toUpperCase();
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return `{${parts.join('-')}}`;
}
