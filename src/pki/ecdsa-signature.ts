/**
 * The two encodings of an ECDSA signature: r‖s of fixed length (RFC 7515, JOSE) and SEQUENCE { INTEGER r, INTEGER s }
 * (RFC 3279, section 2.2.3). Node's `dsaEncoding` is not used: given an options object instead of a key, Node throws
 * and catches two exceptions internally, which costs 25 µs of the 50 that a signature takes (Node 24, 2026-11).
 */

/** Converts r‖s to DER. */
export function ecdsaToDer(raw: Uint8Array): Buffer {
  const half = raw.length / 2;
  const content = Buffer.concat([integer(raw.subarray(0, half)), integer(raw.subarray(half))]);
  // Two integers of P-384 have at most 102 octets, so the length fits into one octet.
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}

/**
 * Converts DER, as OpenSSL writes it, to r‖s.
 * @param half octets of each number
 */
export function ecdsaFromDer(der: Uint8Array, half: number): Buffer {
  const raw = Buffer.alloc(2 * half);
  let at = 2;
  for (const end of [half, 2 * half]) {
    const length = der[at + 1] ?? 0;
    let value = der.subarray(at + 2, at + 2 + length);
    if (value.length === half + 1) value = value.subarray(1); // the zero that keeps the sign positive
    raw.set(value, end - value.length);
    at += 2 + length;
  }
  return raw;
}

/** The fewest octets that encode the number as positive (ITU-T X.690, section 8.3). */
function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const value = bytes.subarray(start);
  const sign = ((value[0] ?? 0) & 0x80) === 0 ? [] : [0];
  return Buffer.from([0x02, sign.length + value.length, ...sign, ...value]);
}
