import { z } from 'zod';

import { base64urlOf, base64urlUpTo, digestText, p256Jwk, protocol, timestamp, uuid } from './common.ts';
import type { DeviceStatus } from './device-messages.ts';
import { message } from './extensions.ts';

/** The name of the extension: in the answer to `status`, never critical. */
export const DISK_ESCROW = 'disk.escrow';

/** An RSA public key (RFC 7518, section 6.3.1) as YubiKeys make them: 2048 to 4096 bits, without a zero before. */
const rsaJwk = z.strictObject({
  kty: z.literal('RSA'),
  n: base64urlUpTo(512).refine((text) => {
    const modulus = Buffer.from(text, 'base64url');
    return modulus.length >= 256 && (modulus[0] ?? 0) >= 0x80;
  }, 'a modulus of 2048 to 4096 bits'),
  e: z.literal('AQAB'),
});

/** A key of the customer's, to which recovery keys are encrypted. The slice never has its private half. */
export const escrowRecipient = z.union([p256Jwk, rsaJwk]);
export type EscrowRecipient = z.infer<typeof escrowRecipient>;

/** More than one, because a YubiKey may be lost; few, because each of them opens every disk. */
export const escrowRecipients = z.array(escrowRecipient).min(1).max(4);

/** Counts the recovery keys of a device: each new one has a higher number. */
const generation = z.int().min(1).max(1_000_000_000);

/** What a recovery key opens: a volume and the place in it that holds what belongs to this key. */
export const encryptedVolume = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('luks2'), uuid, slot: z.int().min(0).max(31) }),
  /** The volume of APFS, which has one personal recovery key. */
  z.strictObject({ kind: z.literal('filevault'), uuid }),
  z.strictObject({ kind: z.literal('bitlocker'), uuid, protector: uuid }),
]);
export type EncryptedVolume = z.infer<typeof encryptedVolume>;

const escrowText = z
  .string()
  .max(3072)
  .regex(/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){4}$/);

/** `POST /v1/devices/{deviceId}/recovery-keys`: compact JWS, `typ` kiwi-recovery-key+jws, by the device key. */
export const recoveryKeyMessage = message({
  protocol,
  deviceId: uuid,
  generation,
  volume: encryptedVolume,
  /** The recovery key for each of the slice's recipients, in their order: compact JWE, `typ` kiwi-escrow+jwe. */
  escrow: z.array(escrowText).min(1).max(4),
  nonce: base64urlOf(16),
  timestamp,
});
export type RecoveryKeyMessage = z.infer<typeof recoveryKeyMessage>;

/** The answer: compact JWS, `typ` kiwi-escrow-receipt+jws, by the grant key. The slice has these bytes, on its disk. */
export const escrowReceipt = message({
  protocol,
  deviceId: uuid,
  /** SHA-256 of the request's compact JWS. */
  requestHash: digestText,
  serverTime: timestamp,
  generation,
  volume: encryptedVolume,
  /** SHA-256 of each JWE. */
  escrowHashes: z.array(digestText).min(1).max(4),
});
export type EscrowReceipt = z.infer<typeof escrowReceipt>;

/**
 * What is encrypted. It names device and volume, so that whoever opens it notices a slice that has exchanged one laptop's recovery key
 * for another's.
 */
export const escrowContent = z.strictObject({
  protocol,
  deviceId: uuid,
  generation,
  volume: encryptedVolume,
  /** As a person types it. */
  key: z.string().regex(/^[A-Za-z0-9-]{20,80}$/),
});
export type EscrowContent = z.infer<typeof escrowContent>;

/** What the slice wants of disks, and has of this one. */
export const diskEscrow = z.strictObject({
  recipients: escrowRecipients,
  /** `oem`: of laptops whose disk was encrypted for the customer. `all`: also of people's own, if they agree. */
  laptops: z.enum(['oem', 'all']),
  /** The newest recovery key that the slice has of this device. */
  held: z
    .strictObject({
      generation,
      escrowHashes: z.array(digestText).min(1).max(4),
      /** Somebody has seen it: it is to be replaced. */
      used: z.boolean(),
    })
    .nullable(),
});
export type DiskEscrow = z.infer<typeof diskEscrow>;

/** Undefined where the slice wants none, or in a form of a later version: an extension that is not critical may be ignored. */
export function diskEscrowIn(answer: Pick<DeviceStatus, 'extensions'>): DiskEscrow | undefined {
  return diskEscrow.safeParse(answer.extensions?.[DISK_ESCROW]?.value).data;
}
