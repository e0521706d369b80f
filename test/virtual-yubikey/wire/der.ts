import { encodeTlv } from './tlv.ts';

// Just enough DER to write the certificates a key needs. A library would re-encode the raw extension values, and the
// Yubico extensions are not DER inside (three bare firmware bytes, for example), so they are written by hand here.

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return encodeTlv(0x30, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return encodeTlv(0x31, ...parts);
}

/** A non-negative INTEGER from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  const positive = ((trimmed[0] ?? 0) & 0x80) === 0 && trimmed.length > 0;
  return encodeTlv(0x02, positive ? trimmed : Buffer.concat([Buffer.of(0), trimmed]));
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of arcs) {
    const digits = [arc & 0x7f];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      digits.unshift((rest & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return encodeTlv(0x06, Buffer.from(bytes));
}

export function bitString(bytes: Uint8Array): Buffer {
  return encodeTlv(0x03, Buffer.of(0), bytes);
}

export function octetString(bytes: Uint8Array): Buffer {
  return encodeTlv(0x04, bytes);
}

export const NULL = Buffer.of(0x05, 0x00);
export const TRUE = Buffer.of(0x01, 0x01, 0xff);

/** Name with a single commonName. */
export function commonName(name: string): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), encodeTlv(0x0c, Buffer.from(name, 'utf8')))));
}

/** Validity between two instants, in UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 asks. */
export function validity(notBefore: Date, notAfter: Date): Buffer {
  return sequence(time(notBefore), time(notAfter));
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return date.getUTCFullYear() < 2050
    ? encodeTlv(0x17, Buffer.from(`${digits.slice(2)}Z`, 'ascii'))
    : encodeTlv(0x18, Buffer.from(`${digits}Z`, 'ascii'));
}

/** One X.509 extension; `value` goes into the OCTET STRING unchanged. */
export function extension(id: string, value: Uint8Array, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [TRUE] : []), octetString(value));
}
