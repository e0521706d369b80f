import { z } from 'zod';

import { protocol, slug, timestamp, uuid } from './common.ts';
import { operatorName } from './operator-sign-in.ts';

/** A statement that nobody approves is worth nothing after a day. */
export const MAX_APPROVAL_MS = 24 * 3_600_000;
/** The whole general JWS: what the verb with the most arguments takes, in base64url, and two signatures. */
export const MAX_STATEMENT = 240 * 1024;

/**
 * What two operators sign, each with their own YubiKey and over the same bytes: general JWS, `typ` kiwi-operator-statement+jws, `kid` the
 * thumbprint of the YubiKey's key.
 */
export const operatorStatement = z.strictObject({
  protocol,
  slug,
  /** Carried out once. */
  id: uuid,
  verb: z
    .string()
    .regex(/^[a-z][a-z-]*\.[a-z-]+$/u)
    .max(64),
  arguments: z.json(),
  /** Who asks: the first signature is theirs. */
  operator: operatorName,
  issuedAt: timestamp,
  expiresAt: timestamp,
});
export type OperatorStatement = z.infer<typeof operatorStatement>;
