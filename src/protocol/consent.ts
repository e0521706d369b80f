import { z } from 'zod';

import { digestText, protocol, slug, text, timestamp, uuid } from './common.ts';

/**
 * An operator's consent to the re-enrollment of one laptop: compact JWS, `typ` kiwi-consent+jws, by the operator's key
 * (`kid`). It is never sent over the network: the registry stores it, and the gateway trusts only what is signed.
 */
export const consent = z.strictObject({
  protocol,
  slug,
  consentId: uuid,
  /** The device that is superseded. It ends at that moment, so the consent cannot be used again. */
  deviceId: uuid,
  /** Digest of the fingerprint that the device enrolled with. */
  fingerprint: digestText,
  /** The consent also covers the same device on different hardware, which would otherwise be refused as a clone. */
  newMainboard: z.boolean(),
  operator: text(100),
  why: text(200),
  issuedAt: timestamp,
  expiresAt: timestamp,
});
export type Consent = z.infer<typeof consent>;
