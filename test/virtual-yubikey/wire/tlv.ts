/** One BER-TLV, as PIV (ISO 7816-4) and DER both use it; `raw` is the whole encoding, tag and length included. */
export interface Tlv {
  readonly tag: number;
  readonly value: Buffer;
  readonly raw: Buffer;
}

/** Bytes that are not a sequence of TLVs. The card answers 6A80. */
export class TlvError extends Error {
  override readonly name = 'TlvError';
}

/** Splits `bytes` into TLVs; every byte must belong to one. Throws nothing but `TlvError`. */
export function parseTlvs(bytes: Uint8Array): Tlv[] {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Tlv[] = [];
  let offset = 0;
  while (offset < source.length) {
    const start = offset;
    const next = (): number => {
      if (offset >= source.length) throw new TlvError('truncated TLV');
      return source.readUInt8(offset++);
    };
    let tag = next();
    if ((tag & 0x1f) === 0x1f) {
      let octet: number;
      do {
        octet = next();
        tag = tag * 256 + octet;
        if (tag > 0xffffff) throw new TlvError('tag too long');
      } while ((octet & 0x80) !== 0);
    }
    let length = next();
    if (length >= 0x80) {
      const octets = length - 0x80;
      if (octets < 1 || octets > 3) throw new TlvError('unsupported length form');
      length = 0;
      for (let index = 0; index < octets; index++) length = length * 256 + next();
    }
    if (offset + length > source.length) throw new TlvError('value runs past the end');
    found.push({ tag, value: source.subarray(offset, offset + length), raw: source.subarray(start, offset + length) });
    offset += length;
  }
  return found;
}

/** The value of the first TLV with this tag, or undefined. */
export function findTlv(tlvs: readonly Tlv[], tag: number): Buffer | undefined {
  return tlvs.find((tlv) => tlv.tag === tag)?.value;
}

/** Parses `bytes` as exactly one TLV of the given tag and returns its value. */
export function unwrapTlv(bytes: Uint8Array, tag: number): Buffer {
  const [only, ...rest] = parseTlvs(bytes);
  if (only?.tag !== tag || rest.length > 0) throw new TlvError(`expected one TLV ${tag.toString(16)}`);
  return only.value;
}

/** Encodes one TLV with the shortest length form (which DER requires). */
export function encodeTlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  return Buffer.concat([minimalBytes(tag), encodeLength(value.length), value]);
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const octets = minimalBytes(length);
  return Buffer.concat([Buffer.of(0x80 + octets.length), octets]);
}

function minimalBytes(value: number): Buffer {
  const octets: number[] = [];
  for (let rest = value; rest > 0 || octets.length === 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.from(octets);
}
