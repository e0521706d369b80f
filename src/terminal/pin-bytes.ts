import { SecretBytes } from '../core/secret-bytes.ts';

/** A PIN has at most 8 characters; the one-time password that an accidental touch types has 44 and ends with Enter. */
export const MAX_PIN_BYTES = 64;

/** Copies the first bytes of a buffer into a secret of its own, not a view of Node's shared pool. The caller clears `from`. */
export function takePin(from: Buffer, length: number): SecretBytes {
  const bytes = Buffer.alloc(length);
  from.copy(bytes, 0, 0, length);
  return new SecretBytes(bytes);
}
