import { z } from 'zod';

import { isErrorCode, type ErrorCode } from '../../core/error-codes.ts';
import { PIV_SLOTS } from '../piv-slot.ts';

/**
 * The messages between us and the token host. Both ends check what they read: the host because it holds the PIN, we because
 * the host runs a C library that parses the data of a USB device.
 */

const slot = z.enum(PIV_SLOTS);
const serial = z.int().min(1).max(0xffffffff);
const der = z.base64().max(8192);
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const algorithm = z.enum(['ES256', 'ES384', 'RS256']);

export const pinState = z.enum(['ok', 'low', 'final', 'locked']);

/** Which key is used, and what it has to be. */
const whichKey = {
  serial,
  /** The reader that the key was in: another key in its place has replaced it. */
  reader: z.string().max(128).optional(),
  slot,
  /** As attested. PIN 'once' means one login, 'always' a second one inside the operation (CKU_CONTEXT_SPECIFIC). */
  pinPolicy: z.enum(['never', 'once', 'always']),
  touchPolicy: z.enum(['never', 'always', 'cached']),
  /** SHA-256 of the attested SubjectPublicKeyInfo: the key is used only if exactly this one is in the slot. */
  keySha256: sha256Hex,
  /** SHA-256 of the slot's certificate, when one is expected. */
  certificateSha256: sha256Hex.optional(),
};

export const hostRequest = z.discriminatedUnion('op', [
  /** Which YubiKeys are plugged in: cheap, for polling. */
  z.strictObject({ op: z.literal('presence') }),
  /** Everything readable without a PIN, of all keys or of the one with this serial. */
  z.strictObject({ op: z.literal('read'), serial: serial.optional() }),
  /** The PIN follows the message as raw bytes. */
  z.strictObject({ op: z.literal('sign'), ...whichKey, algorithm, data: z.base64().max(256 * 1024) }),
  /** Likewise. `input` is a point of P-256, uncompressed, or what RSAES-OAEP with SHA-256 has encrypted. */
  z.strictObject({
    ...{ op: z.literal('open'), ...whichKey, how: z.enum(['ecdh', 'rsa-oaep-256']) },
    input: z.base64().max(1024),
  }),
]);
export type HostRequest = z.infer<typeof hostRequest>;
export type KeyRequest = Extract<HostRequest, { op: 'sign' | 'open' }>;

/** A reader of YubiKeys: with a key that answers, with one that another program holds, or with none. */
const present = z.strictObject({
  reader: z.string(),
  serial: serial.optional(),
  pin: pinState.optional(),
  held: z.boolean(),
});

const yubikey = z.strictObject({
  reader: z.string(),
  serial,
  firmware: z.string().regex(/^\d{1,3}\.\d{1,3}\.\d{1,3}$/),
  pin: pinState,
  slots: z.array(z.strictObject({ slot, certificate: der.optional(), attestation: der.optional() })).max(24),
  /** Certificate of the YubiKey's attestation key (slot f9). */
  attestationIssuer: der.optional(),
});
export type YubikeyReading = z.infer<typeof yubikey>;

export const hostAnswers = {
  presence: z.strictObject({ readers: z.array(present).max(32) }),
  read: z.strictObject({ keys: z.array(yubikey).max(32) }),
  sign: z.strictObject({ signature: z.base64().max(1024) }),
  open: z.strictObject({ secret: z.base64().max(1024) }),
} as const;
export type HostAnswer<Op extends HostRequest['op']> = z.infer<(typeof hostAnswers)[Op]>;

/** What the host sends while it works on a request, and as its result. */
export const hostReply = z.union([
  /** The PIN was accepted and the key is now used: from here on it may wait for a touch. */
  z.strictObject({ event: z.literal('signing') }),
  z.strictObject({ ok: z.literal(true), answer: z.unknown() }),
  z.strictObject({
    ok: z.literal(false),
    code: z.string().refine((code): code is ErrorCode => isErrorCode(code)),
    detail: z.string().max(1000),
    /** After a wrong PIN. */
    pin: pinState.optional(),
  }),
]);
export type HostReply = z.infer<typeof hostReply>;
