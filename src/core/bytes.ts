import { hash, timingSafeEqual } from 'node:crypto';

/** SHA-256 of bytes, or of a string's UTF-8 bytes. */
export function sha256(data: Uint8Array | string): Buffer {
  return hash('sha256', data, 'buffer');
}

/** Base64url without padding (RFC 4648, section 5). */
export function base64url(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64url');
}

/** base64url(SHA-256(data)): the form in which every digest of kiwi/1 is written. */
export function digest(data: Uint8Array | string): string {
  return hash('sha256', data, 'base64url');
}

/** Compares without revealing, by the time it takes, where the first difference is. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
