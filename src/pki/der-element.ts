export class DerError extends Error {
  override readonly name = 'DerError';
}

/** One DER element and the bytes after it. */
export interface DerElement {
  readonly tag: number;
  /** The complete element: tag, length, content. */
  readonly bytes: Buffer;
  readonly content: Buffer;
  readonly rest: Buffer;
}

/** ITU-T X.690, section 10.1: definite length in the fewest octets. @throws DerError */
export function readElement(der: Buffer): DerElement {
  const [tag = 0, first = 0xff] = der;
  const octets = first < 0x80 ? 0 : first - 0x80;
  if (octets > 2 || der.length < 2 + octets) throw new DerError('not DER');
  const length = octets === 0 ? first : der.readUIntBE(2, octets);
  if (octets > 0 && length < (octets === 1 ? 0x80 : 0x100)) throw new DerError('not DER');
  const start = 2 + octets;
  if (der.length < start + length) throw new DerError('not DER');
  const end = start + length;
  return { tag, bytes: der.subarray(0, end), content: der.subarray(start, end), rest: der.subarray(end) };
}
