import { z } from 'zod';

import {
  base64urlUpTo,
  digestText,
  hostName,
  ipv4,
  slug,
  text,
  timestamp,
  uuid,
  version,
  wireguardKey,
} from './common.ts';
import { encryptedVolume } from './disk-escrow.ts';
import { bundleManifest } from './support-bundle.ts';
import { endReason } from './device-messages.ts';
import { pivSlot, statement } from './statement.ts';

/**
 * What an operator is shown of a slice. The objects are not strict: what is not named here does not leave the slice, and a client
 * ignores what a newer slice adds.
 */

/** Milliseconds since 1970, by the slice's clock. */
const millis = z.int();
const digestOrEmpty = z.string().max(64);
const word = z.string().max(2000);
const count = z.int().min(0);

export const yubikeySerial = z.int().min(1).max(0xffffffff);

/** What somebody may do: look; help people with their laptops; everything. Each includes the ones before it. */
export const operatorRole = z.enum(['read', 'helpdesk', 'admin']);
export type OperatorRole = z.infer<typeof operatorRole>;

/** DER of a certificate, base64url. */
export const certificateText = base64urlUpTo(8192);

export const deviceRecord = z.object({
  id: uuid,
  state: z.enum(['reserved', 'pending', 'active', 'ended']),
  attemptId: uuid,
  hostName,
  address: ipv4,
  wireguardPublicKey: wireguardKey,
  keyKind: z.enum(['tpm', 'unproven']),
  deviceKeyThumbprint: digestOrEmpty,
  role: word,
  /** The YubiKey that vouched for it, or the token that it was claimed with. */
  yubikeySerial: yubikeySerial.nullable(),
  tokenId: uuid.nullable(),
  fingerprintDigest: digestOrEmpty,
  host: z.object(statement.shape.host.shape),
  createdAt: millis,
  grantedAt: millis.nullable(),
  confirmBy: millis.nullable(),
  confirmedAt: millis.nullable(),
  grantHash: digestOrEmpty.nullable(),
  endedAt: millis.nullable(),
  endReason: endReason.nullable(),
  supersedes: uuid.nullable(),
  /** When the laptop was first told that it has ended. */
  toldAt: millis.nullable(),
  /** What operators call it; its certificates have the host name. */
  label: z.string().max(63).nullable(),
});

/** SHA-256 of an endorsement key, as in a fingerprint. */
export const endorsement = z.string().regex(/^[0-9a-f]{64}$/);

export const tokenRecord = z.object({
  id: uuid,
  batch: word,
  serial: word,
  uuid: uuid.nullable(),
  model: word.nullable(),
  endorsement: endorsement.nullable(),
  role: word,
  createdAt: millis,
  expiresAt: millis,
  revokedAt: millis.nullable(),
  revokedWhy: word.nullable(),
  /** The device that it became. */
  deviceId: uuid.nullable(),
  claimedAt: millis.nullable(),
});
export type TokenRecord = z.output<typeof tokenRecord>;

export const claimRecord = z.object({
  sessionId: uuid,
  tokenId: uuid,
  /** Six digits, which the laptop shows as well. */
  code: z.string().max(6),
  /** Of the laptop that the token is for. */
  serial: word,
  hostName,
  deviceKeyThumbprint: digestOrEmpty,
  remote: word,
  createdAt: millis,
  state: z.enum(['waiting', 'approved', 'refused']),
  decidedBy: word.nullable(),
  decidedAt: millis.nullable(),
});
export type ClaimRecord = z.output<typeof claimRecord>;

export const yubikeyRecord = z.object({
  serial: yubikeySerial,
  slot: pivSlot,
  /** SubjectPublicKeyInfo of the enrollment key, base64url. */
  spki: base64urlUpTo(1024),
  role: word,
  registeredAt: millis,
  burnedAt: millis.nullable(),
  burnedWhy: word.nullable(),
  certified: z.boolean(),
  /** Its certificate was written to a file, and nothing shows yet that it is on the key. */
  written: z.boolean().default(false),
});

export const sessionRecord = z.object({
  id: uuid,
  /** Six digits; the laptop shows the same. */
  code: z.string().max(6),
  remote: word,
  createdAt: millis,
  expiresAt: millis,
  used: z.boolean(),
});

export const consentRecord = z.object({
  id: uuid,
  deviceId: uuid,
  hostName: z.string().max(63),
  createdAt: millis,
  expiresAt: millis,
  state: z.enum(['open', 'used', 'expired', 'worthless']),
  /** From the signed text. For a worthless consent, `why` says what is wrong with it. */
  operator: word,
  why: word,
  newMainboard: z.boolean(),
});

export const auditRecord = z.object({
  id: count,
  at: millis,
  requestId: word,
  actor: word,
  action: word,
  decision: z.enum(['allowed', 'refused', 'alarm', 'failed']),
  code: word.exactOptional(),
  yubikeySerial: z.int().exactOptional(),
  deviceId: word.exactOptional(),
  sessionId: word.exactOptional(),
  why: z.string().max(16_384).exactOptional(),
  link: z.string().max(64),
});

const trailFault = z.object({ record: count, what: word });
export const trailReport = z.object({
  records: count,
  /** How many of them a checkpoint of the gateway seals; the others are newer. */
  sealed: count,
  /** When that checkpoint was made; undefined when there is none. */
  sealedAt: timestamp.optional(),
  /** So many of the first records an operator has accepted as they are. */
  accepted: count,
  fault: trailFault.optional(),
  acceptedFault: trailFault.optional(),
});

export const bundleRecord = z.object({
  id: count,
  deviceId: uuid,
  receivedAt: millis,
  bytes: count,
  hostName: z.string().max(63),
});

/** Whose a support bundle is; its text says the rest. */
export const verifiedBundle = z.object({
  device: deviceRecord.pick({ id: true, hostName: true, state: true, endReason: true }),
  /** By the laptop's clock. */
  signedAt: timestamp,
  manifest: bundleManifest,
  files: z.record(z.string().max(200), z.string().max(256 * 1024)),
});

export const operatorRecord = z.object({
  name: word,
  role: operatorRole,
  kid: digestOrEmpty,
  yubikeySerial,
  slot: pivSlot,
  certificate: certificateText,
  addedAt: millis,
  addedBy: word,
  removedAt: millis.nullable(),
  removedWhy: word.nullable(),
});

export const approvalRecord = z.object({
  id: uuid,
  verb: word,
  askedBy: word,
  createdAt: millis,
  expiresAt: millis,
  state: z.enum(['open', 'expired', 'approved', 'refused']),
  decidedBy: word.nullable(),
  decidedAt: millis.nullable(),
  /** The general JWS, with one signature or both: whoever approves signs its payload. */
  statement: z.string().max(256 * 1024),
});
export type ApprovalRecord = z.output<typeof approvalRecord>;

/** When two operators are needed: `twoPersons` of slice.json. */
export const twoPersonSetting = z.strictObject({
  when: z.enum(['two-admins', 'always', 'never']),
  /** Ending more laptops than this at once is critical. */
  manyDevices: z.int().min(0).max(100_000),
});
export type TwoPersonSetting = z.output<typeof twoPersonSetting>;

/** What a client has to know of the slice. */
export const aboutSlice = z.object({
  customer: z.object({ slug, name: text(100) }),
  gatewayUrl: word,
  firmware: z.object({ minimum: version, older: z.enum(['warn', 'refuse']) }),
  /** DER: the provider's root, and the roots of the YubiKeys' maker. */
  root: certificateText,
  yubicoRoots: z.array(certificateText).max(16),
  intermediate: certificateText,
  /** Who asks, and whether what is critical needs a second operator now. */
  operator: z.object({ name: word, role: operatorRole }),
  twoPersons: z.boolean(),
  twoPersonSetting,
});

export type DeviceRecord = z.output<typeof deviceRecord>;
export type OperatorRecord = z.output<typeof operatorRecord>;
export type YubikeyRecord = z.output<typeof yubikeyRecord>;
export type ConsentRecord = z.output<typeof consentRecord>;
export type TrailReport = z.output<typeof trailReport>;
export type VerifiedBundle = z.output<typeof verifiedBundle>;
export type AboutSlice = z.output<typeof aboutSlice>;

/** The recovery key of a laptop's disk. The slice cannot read it. */
export const recoveryKeyRecord = z.object({
  deviceId: uuid,
  hostName: z.string().max(63),
  generation: z.int().min(1),
  volume: encryptedVolume,
  /** Thumbprints of the keys that open it. */
  recipients: z.array(digestText).max(4),
  receivedAt: millis,
  /** When an operator was given it first. */
  usedAt: millis.nullable(),
});
export type RecoveryKeyRecord = z.output<typeof recoveryKeyRecord>;
