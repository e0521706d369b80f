import { z } from 'zod';

import { digestText, protocol, slug, text, timestamp, uuid } from './common.ts';

/**
 * An operator's consent to the re-enrollment of one laptop: compact JWS, `typ` kiwi-consent+jws, by the operator's key (`kid`). It never
 * crosses the wire: the registry keeps it, and the gateway believes nothing of it but what is signed.
 */
export const consent = z.strictObject({
  protocol,
  slug,
  consentId: uuid,
  /** The device whose place is taken. It ends with that, so the consent is spent for good. */
  deviceId: uuid,
  /** Digest of the fingerprint that the device enrolled with. */
  fingerprint: digestText,
  /** Also for the same device on other hardware, which would else be a clone. */
  newMainboard: z.boolean(),
  operator: text(100),
  why: text(200),
  issuedAt: timestamp,
  expiresAt: timestamp,
});
export type Consent = z.infer<typeof consent>;
