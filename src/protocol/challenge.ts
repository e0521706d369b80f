import { createPublicKey } from 'node:crypto';

import { z } from 'zod';

import {
  base64urlOf,
  digestText,
  p256Jwk,
  type P256Jwk,
  protocol,
  slug,
  text,
  timestamp,
  uuid,
  version,
} from './common.ts';

export const touchPolicy = z.enum(['never', 'always', 'cached']);
export const pinPolicy = z.enum(['never', 'once', 'always']);

/** What the customer asks of the person's key and of this program. */
export const policy = z.strictObject({
  minimumAgentVersion: version,
  pinPolicies: z.array(pinPolicy).min(1).max(3),
  touchPolicies: z.array(touchPolicy).min(1).max(3),
});
export type Policy = z.infer<typeof policy>;

/** The gateway's proof of itself: compact JWS, `typ` kiwi-challenge+jws, signed by the grant key, `x5c` = grant certificate, intermediate. */
export const challenge = z.strictObject({
  protocol,
  sessionId: uuid,
  serverNonce: base64urlOf(32),
  /** Binds the exchange: SHA-256 of the bytes of the hello. */
  helloHash: digestText,
  expiresAt: timestamp,
  /** Skew is corrected in what the laptop says of time, never by setting its clock. */
  serverTime: timestamp,
  customer: z.strictObject({ slug, name: text(100) }),
  purpose: z.enum(['enroll', 're-enroll']),
  /** Per customer, so that a laptop cannot be followed from one customer to another. */
  fingerprintSalt: base64urlOf(32),
  policy,
  /** Made for this session and forgotten with it: the statement is encrypted to it. */
  encryptionKey: p256Jwk.refine(isOnCurve, 'a point of the curve'),
});
export type Challenge = z.infer<typeof challenge>;

/** Otherwise the laptop would find out after PIN and touch, when it encrypts the statement. */
function isOnCurve(jwk: P256Jwk): boolean {
  try {
    createPublicKey({ key: jwk, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}
