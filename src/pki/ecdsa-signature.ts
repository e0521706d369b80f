/**
 * The two encodings of an ECDSA signature: r‖s of fixed length (RFC 7515, JOSE) and SEQUENCE { INTEGER r, INTEGER s }
 * (RFC 3279, section 2.2.3). Node's `dsaEncoding` is not used: given an options object instead of a key, Node throws
 * and catches two exceptions internally, which costs 25 µs of the 50 that a signature takes (Node 24, 2026-11).
 */

/** The order of each curve's group (SEC 2, sections 2.4.2 and 2.5.1), by the octets of r and of s. */
const ORDERS = new Map([
  [32, 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n],
  [48, 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n],
]);

/**
 * Whether s is in the lower half. With every signature (r, s), (r, n − s) is one too, which anybody can calculate; where the
 * hash of a signed message identifies it, as in kiwi/1, only one of the two may be valid.
 */
export function isLowS(raw: Uint8Array): boolean {
  const { s, order } = sOf(raw);
  return s <= order / 2n;
}

/** The signature with s in the lower half: most signers (OpenSSL, a YubiKey) give either of the two. */
export function toLowS(raw: Uint8Array): Buffer {
  const low = Buffer.from(raw);
  if (isLowS(raw)) return low;
  const { s, order, half } = sOf(raw);
  low.write((order - s).toString(16).padStart(2 * half, '0'), half, 'hex');
  return low;
}

function sOf(raw: Uint8Array): { s: bigint; order: bigint; half: number } {
  const half = raw.length / 2;
  const order = ORDERS.get(half);
  if (order === undefined) throw new TypeError('not a signature of P-256 or P-384');
  return { s: BigInt(`0x${Buffer.from(raw.subarray(half)).toString('hex')}`), order, half };
}

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
