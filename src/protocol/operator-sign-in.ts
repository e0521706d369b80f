import { z } from 'zod';

import { base64urlOf, digestText, p256Jwk, protocol, slug, text, timestamp, uuid } from './common.ts';
import { message } from './extensions.ts';
import { operatorRole } from './operator-records.ts';

/** How long a session of an operator lasts at most: a working day. */
export const MAX_SESSION_HOURS = 8;

/** A name that is short enough to type, and no other word of the audit. */
export const operatorName = z
  .string()
  .regex(/^[a-z][a-z0-9._-]{1,31}$/u)
  .refine((name) => !['operator', 'slice', 'laptop', 'root'].includes(name), 'a name that means something else');

/** `POST /v1/operator/challenges`: unsigned, hashed as received. */
export const operatorHello = message({
  protocol,
  nonce: base64urlOf(32),
  /** RFC 7638: commits to the session's key before the challenge is known. */
  sessionKeyThumbprint: digestText,
});
export type OperatorHello = z.infer<typeof operatorHello>;

/** The answer: compact JWS, `typ` kiwi-operator-challenge+jws, by the grant key, as the challenge to a laptop. */
export const operatorChallenge = message({
  protocol,
  challengeId: uuid,
  nonce: base64urlOf(32),
  /** SHA-256 of the bytes of the hello. */
  helloHash: digestText,
  customer: z.strictObject({ slug, name: text(100) }),
  expiresAt: timestamp,
  serverTime: timestamp,
});
export type OperatorChallenge = z.infer<typeof operatorChallenge>;

/**
 * `POST /v1/operator/sessions`: what the operator's touch signs. Compact JWS, `typ` kiwi-operator-sign-in+jws, by the key in the YubiKey
 * (`x5c`: its certificate alone).
 */
export const operatorSignIn = message({
  protocol,
  slug,
  challengeId: uuid,
  /** SHA-256 of the compact JWS of the challenge. */
  challengeHash: digestText,
  /** The key that signs the requests of this session; the hello committed to it. */
  sessionKey: p256Jwk,
  hours: z.int().min(1).max(MAX_SESSION_HOURS),
  timestamp,
});
export type OperatorSignIn = z.infer<typeof operatorSignIn>;

/** The answer, JSON. */
export const operatorSession = z.object({
  sessionId: uuid,
  operator: operatorName,
  role: operatorRole,
  expiresAt: timestamp,
});
export type OperatorSession = z.infer<typeof operatorSession>;
