import { z } from 'zod';

import { gatewayUrl, slug, text, timestamp, uuid } from '../protocol/common.ts';
import { operatorRole } from '../protocol/operator-records.ts';
import { operatorName } from '../protocol/operator-sign-in.ts';

/** A sign-in as it is kept: whoever has it is the operator until it expires. */
export const signedIn = z.strictObject({
  version: z.literal(1),
  /** Of the operator API. */
  gateway: gatewayUrl,
  customer: z.strictObject({ slug, name: text(100) }),
  /** PEM of the provider's root to which the slice was proven. */
  root: z.string().max(8192),
  sessionId: uuid,
  operator: operatorName,
  role: operatorRole,
  expiresAt: timestamp,
  /** PKCS#8, PEM. */
  sessionKey: z.string().max(1024),
});
export type SignedIn = z.infer<typeof signedIn>;
