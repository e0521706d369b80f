import { z } from 'zod';

import { base64urlUpTo } from './common.ts';
import type { Extensions } from './extensions.ts';

/** The name of the extension: in answers about a device, never critical. */
export const PROVIDER_REVOKED = 'provider.revoked';

/** The largest list that fits into an answer beside everything else. */
export const MAX_REVOKED = 4 * 1024;

/** The provider's revocation list, DER. The root's signature proves it, whoever hands it on. */
const providerRevoked = z.strictObject({ list: base64urlUpTo(MAX_REVOKED) });

export const sayRevoked = (list: Buffer): z.infer<typeof providerRevoked> => ({ list: list.toString('base64url') });

/** Undefined where the slice does not say it, or in a form of a later version: an extension that is not critical may be ignored. */
export function revokedIn(message: { readonly extensions?: Extensions | undefined }): Buffer | undefined {
  const said = providerRevoked.safeParse(message.extensions?.[PROVIDER_REVOKED]?.value).data;
  return said === undefined ? undefined : Buffer.from(said.list, 'base64url');
}
