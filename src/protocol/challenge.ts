import { z } from 'zod';

import {
  base64urlOf,
  digestText,
  p256Jwk,
  protocol,
  slug,
  text,
  timestamp,
  uuid,
  version,
  wireguardKey,
} from './common.ts';
import { message } from './extensions.ts';

export const touchPolicy = z.enum(['never', 'always', 'cached']);
export const pinPolicy = z.enum(['never', 'once', 'always']);

/** What the customer requires of the person's key and of this program. */
export const policy = z.strictObject({
  minimumAgentVersion: version,
  pinPolicies: z.array(pinPolicy).min(1).max(3),
  touchPolicies: z.array(touchPolicy).min(1).max(3),
});
export type Policy = z.infer<typeof policy>;

/** What every challenge has, of an enrollment and of a claim. */
export const challengeMembers = {
  protocol,
  sessionId: uuid,
  serverNonce: base64urlOf(32),
  /** Binds the exchange: SHA-256 of the bytes of the hello. */
  helloHash: digestText,
  expiresAt: timestamp,
  /** The laptop corrects for clock skew in the times that it states, and never sets its clock. */
  serverTime: timestamp,
  customer: z.strictObject({ slug, name: text(100) }),
  /** One salt per customer, so that a laptop cannot be tracked across customers. */
  fingerprintSalt: base64urlOf(32),
  policy,
  /** Generated for this session and deleted with it: the statement is encrypted to it. */
  encryptionKey: p256Jwk,
  /** X25519, also of this session: the laptop proves with it that it holds its WireGuard key. */
  proofKey: wireguardKey,
} as const;

/**
 * The gateway's proof of its identity: compact JWS, `typ` kiwi-challenge+jws, signed by the grant key, `x5c` = grant
 * certificate, intermediate.
 */
export const challenge = message(challengeMembers);
export type Challenge = z.infer<typeof challenge>;
