import { z } from 'zod';

import { base64urlOf, digestText, gatewayUrl, slug, text, timestamp, uuid } from './common.ts';
import { COMPONENT_LENGTH } from './component-text.ts';

/** A token as it is put on a laptop, in bytes of JSON. */
export const MAX_BOOTSTRAP = 8 * 1024;
/** `typ` of a token that is sealed for the OEM that puts it on a laptop. */
export const SEALED_TOKEN = 'kiwi-token+jwe';

/**
 * The token of one laptop: what an operator makes, an OEM puts into the image, and the laptop reads at its first start. Not a message: its
 * secret is never sent.
 */
export const bootstrap = z.strictObject({
  version: z.literal(1),
  tokenId: uuid,
  /** 32 random bytes. */
  secret: base64urlOf(32),
  gateway: gatewayUrl,
  /** Whose laptop it becomes, and in which role: the grant has to say the same. */
  customer: z.strictObject({ slug, name: text(100) }),
  role: text(64),
  /** Of the laptop that it is put on, as the OEM names it. */
  serial: text(COMPONENT_LENGTH),
  /** SHA-256 of the provider's root, DER: of those that the laptop pins, this one counts. */
  root: digestText,
  /** The slice knows the laptop's TPM, and lets in nothing but a key in it. */
  tpm: z.boolean().optional(),
  expiresAt: timestamp,
  /** Which image it was put into. */
  image: text(100).optional(),
});
export type Bootstrap = z.infer<typeof bootstrap>;
