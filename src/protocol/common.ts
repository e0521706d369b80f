import { z } from 'zod';

/** The version of the protocol; a message with another one is refused with `protocol-unsupported`. */
export const PROTOCOL = 'kiwi/1';

/** Size limits, in bytes, applied before anything is parsed. docs/protocol.md repeats them. */
export const LIMITS = {
  hello: 4 * 1024,
  challenge: 32 * 1024,
  statement: 96 * 1024,
  grant: 128 * 1024,
  confirm: 8 * 1024,
  status: 8 * 1024,
  deviceStatus: 16 * 1024,
  signIn: 4 * 1024,
  renewal: 8 * 1024,
  renewed: 16 * 1024,
  bundle: 256 * 1024,
  recoveryKey: 16 * 1024,
  escrowReceipt: 16 * 1024,
  updateManifest: 16 * 1024,
  operatorHello: 4 * 1024,
  operatorSignIn: 16 * 1024,
  operatorRequest: 8 * 1024,
  error: 4 * 1024,
} as const;

/**
 * How far the clocks of laptop and slice may differ: beyond this, 24 h certificates and Fleet's TLS become unreliable.
 */
export const CLOCK_WINDOW_MS = 10 * 60_000;
/** How long a device certificate is valid: what the slice's CA issues, and the longest that a laptop accepts. */
export const DEVICE_CERTIFICATE_HOURS = 24;

/**
 * `typ` of each signed or encrypted message (RFC 7515, section 4.1.9), so that a signature cannot be used for another
 * message.
 */
export const TYP = {
  challenge: 'kiwi-challenge+jws',
  statement: 'kiwi-statement+jws',
  statementEncrypted: 'kiwi-statement+jwe',
  claimChallenge: 'kiwi-claim-challenge+jws',
  claim: 'kiwi-claim+jws',
  claimEncrypted: 'kiwi-claim+jwe',
  grant: 'kiwi-grant+jws',
  grantEncrypted: 'kiwi-grant+jwe',
  confirm: 'kiwi-confirm+jws',
  status: 'kiwi-status+jws',
  leave: 'kiwi-leave+jws',
  deviceStatus: 'kiwi-device-status+jws',
  renewal: 'kiwi-renewal+jws',
  renewed: 'kiwi-renewed+jws',
  bundle: 'kiwi-bundle+jws',
  recoveryKey: 'kiwi-recovery-key+jws',
  escrow: 'kiwi-escrow+jwe',
  escrowReceipt: 'kiwi-escrow-receipt+jws',
  signInEncrypted: 'kiwi-sign-in+jwe',
  consent: 'kiwi-consent+jws',
  update: 'kiwi-update+jws',
  operatorChallenge: 'kiwi-operator-challenge+jws',
  operatorSignIn: 'kiwi-operator-sign-in+jws',
  operatorRequest: 'kiwi-operator-request+jws',
  operatorStatement: 'kiwi-operator-statement+jws',
} as const;

export const MEDIA = { json: 'application/json', jose: 'application/jose' } as const;

/** Base64url without padding of exactly `bytes` bytes, in canonical form only. */
export const base64urlOf = (bytes: number): z.ZodType<string> =>
  z.string().refine((text) => {
    const decoded = Buffer.from(text, 'base64url');
    return decoded.length === bytes && decoded.toString('base64url') === text;
  }, `base64url of ${bytes} bytes`);

/** Base64url without padding of 1 to `maxBytes` bytes, in canonical form only. */
export const base64urlUpTo = (maxBytes: number): z.ZodType<string> =>
  z.string().refine((text) => {
    const decoded = Buffer.from(text, 'base64url');
    return decoded.length > 0 && decoded.length <= maxBytes && decoded.toString('base64url') === text;
  }, `base64url of at most ${maxBytes} bytes`);

/** Base64 with padding (RFC 4648, section 4) of exactly 32 bytes: WireGuard's format for keys. */
export const wireguardSecret = z.string().refine((text) => {
  const decoded = Buffer.from(text, 'base64');
  return decoded.length === 32 && decoded.toString('base64') === text;
}, 'base64 of 32 bytes');

/** Of the field of Curve25519 (RFC 7748, section 4.1). */
const PRIME = 2n ** 255n - 19n;

/** The u-coordinates of the points of low order, on the curve and on its twist: with them, every X25519 secret is zero. */
const LOW_ORDER: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  PRIME - 1n,
  0x00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0n,
  0x57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5fn,
]);

/** A public key of WireGuard: in its only canonical form, because keys are compared as text, and of no low order. */
export const wireguardKey = wireguardSecret.refine((text) => {
  const u = BigInt(`0x${Buffer.from(text, 'base64').reverse().toString('hex') || '0'}`);
  return u < PRIME && !LOW_ORDER.has(u);
}, 'a public key of Curve25519');

export const digestText = base64urlOf(32);
export const protocol = z.literal(PROTOCOL);

/** RFC 3339 in UTC with milliseconds: 2026-01-31T08:00:00.000Z. */
export const timestamp = z.iso.datetime({ precision: 3 });

/** A customer's slug: 2 to 32 of a-z, 0-9 and '-', beginning with a letter and not ending with '-'. */
export const slug = z.string().regex(/^[a-z][a-z0-9-]{0,30}[a-z0-9]$/);

/** A DNS label in lower case: the name of a laptop. */
export const hostName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

/** Printable text without control characters or lone surrogates; `max` counts UTF-16 code units. */
export const text = (max: number): z.ZodType<string> =>
  z
    .string()
    .min(1)
    // Not max(): it counts code points.
    .refine((given) => given.length <= max, `at most ${max} UTF-16 code units`)
    .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u);

/**
 * Lower case only, because ids are compared as text. Version and variant (RFC 9562, section 4) are not looked at: those of
 * firmware are often made up, and nobody who gives out an id may be relied on for them.
 */
export const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/** A gateway, as the certificate on a YubiKey names it. */
export const gatewayUrl = z.url({ protocol: /^https$/ }).max(500);

export const ipv4 = z.ipv4();
export const ipv4Cidr = z.cidrv4();

/** SemVer core: 1.2.3. */
export const version = z.string().regex(/^\d{1,5}\.\d{1,5}\.\d{1,5}$/);

/** P-256: y² = x³ − 3x + b over the field of PRIME_P256 (SEC 2, section 2.4.2). */
const PRIME_P256 = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

/** Checked wherever a key is read, and not where it is used first, which may be after PIN and touch. */
function isOnCurve({ x: xText, y: yText }: { x: string; y: string }): boolean {
  const [x, y] = [xText, yText].map((text) => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex') || '0'}`));
  if (x === undefined || y === undefined || x >= PRIME_P256 || y >= PRIME_P256) return false;
  return (y * y - (x * x - 3n) * x - B) % PRIME_P256 === 0n;
}

/** The only type of device and session key in kiwi/1: P-256 public keys (RFC 7518, section 6.2.1). */
export const p256Jwk = z
  .strictObject({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: base64urlOf(32),
    y: base64urlOf(32),
  })
  .refine(isOnCurve, 'a point of the curve');
export type P256Jwk = z.infer<typeof p256Jwk>;
