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

/** The elements that follow one another in these bytes. @throws DerError */
export function elementsOf(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const element = readElement(rest);
    elements.push(element);
    rest = element.rest;
  }
  return elements;
}

/** An element with this content, of at most 65 535 bytes. */
export function writeElement(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  const { length } = bytes;
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...octets), bytes]);
}
