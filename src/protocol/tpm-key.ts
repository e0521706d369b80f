import { z } from 'zod';

import { base64urlOf, base64urlUpTo } from './common.ts';
import type { Extensions } from './extensions.ts';

/** The name of the extension in hello, challenge and statement: that the device key is in a TPM, and the proof of it. Never critical. */
export const TPM_KEY = 'device-key.tpm';

/** In the hello: which TPM, and which key in it. */
const claim = z.strictObject({
  /** The certificate of the RSA 2048 endorsement key, DER. */
  endorsement: base64urlUpTo(2048),
  /** TPM2B_PUBLIC of the device key. */
  publicArea: base64urlUpTo(256),
});
export type TpmClaim = z.infer<typeof claim>;

/** In the challenge of a slice that wants such keys. */
const wish = z.strictObject({
  /** `require`: it enrolls no other laptop. */
  want: z.enum(['prefer', 'require']),
  /** The answer to a claim: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET, which that TPM opens only while it holds that key. */
  credential: z.strictObject({ idObject: base64urlUpTo(128), encryptedSecret: base64urlUpTo(512) }).optional(),
});
export type TpmWish = z.infer<typeof wish>;

/** In the statement: an HMAC under the secret of the credential; pki/tpm-proof.ts. */
const proof = z.strictObject({ proof: base64urlOf(32) });

/** A message that may have the extension. */
interface Extended {
  readonly extensions?: Extensions | undefined;
}

/** What a message says of a key in a TPM: `malformed` where it says it in another form than this version's. */
type Reading<Said> = Said | 'malformed' | undefined;

export const tpmClaimIn = (hello: Extended): Reading<TpmClaim> => read(claim, hello);
export const tpmWishIn = (challenge: Extended): Reading<TpmWish> => read(wish, challenge);
export const tpmProofIn = (statement: Extended): Reading<z.infer<typeof proof>> => read(proof, statement);

/** The member `extensions` of a message that says this. */
export function tpmExtension(value: TpmClaim | TpmWish | z.infer<typeof proof>): Extensions {
  return { [TPM_KEY]: { critical: false, value: value as Extensions[string]['value'] } };
}

function read<S extends z.ZodType>(schema: S, { extensions }: Extended): Reading<z.infer<S>> {
  const said = extensions?.[TPM_KEY];
  if (said === undefined) return undefined;
  const parsed = schema.safeParse(said.value);
  return parsed.success ? parsed.data : 'malformed';
}
