import { readFileSync } from 'node:fs';
import path from 'node:path';

import { z } from 'zod';

import { ERROR_CODES, type ErrorCode } from '../../src/core/error-codes.ts';

/** Reads a vector file for a test; the schema says which parts the test looks at. */
export function vector<S extends z.ZodType>(name: string, schema: S): z.infer<S> {
  return schema.parse(JSON.parse(readFileSync(path.join(import.meta.dirname, `${name}.json`), 'utf8')));
}

const privateJwk = z.object({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string(), d: z.string() });

export const KEYS = z.object({
  keys: z.record(
    z.string(),
    z.object({ jwk: privateJwk, pkcs8: z.string(), spki: z.string(), thumbprint: z.string() }),
  ),
});
export const CERTIFICATES = z.object({
  certificates: z.record(z.string(), z.object({ key: z.string(), der: z.string(), pem: z.string() })),
});
export const HELLO = z.object({ bytes: z.string(), helloHash: z.string() });

const compact = z.object({
  payload: z.string(),
  key: z.string(),
  protectedHeader: z.string(),
  signingInput: z.string(),
  signature: z.string(),
  jws: z.string(),
});
export const CHALLENGE = compact.extend({ challengeHash: z.string() });
export const SESSION_CODE = z.object({
  input: z.string(),
  helloHash: z.string(),
  challengeHash: z.string(),
  code: z.string(),
});
export const STATEMENT = z.object({
  payload: z.string(),
  csr: z.string(),
  signatures: z.array(compact.omit({ payload: true, jws: true })).length(2),
  jws: z.string(),
  recipient: z.string(),
  jwe: z.string(),
  statementHash: z.string(),
});
export const GRANT = compact.extend({ recipient: z.string(), jwe: z.string(), grantHash: z.string() });
export const CONFIRM = compact;
export const DEVICE_STATUS = compact.extend({ request: z.string() });
export const RENEWAL = compact;
export const BUNDLE = compact.extend({ body: z.string(), manifest: z.string() });
export const RECOVERY_KEY = compact.extend({
  recipients: z
    .array(z.object({ jwk: z.looseObject({}), thumbprint: z.string(), pkcs8: z.string(), jwe: z.string() }))
    .length(2),
  content: z.string(),
});
export const ESCROW_RECEIPT = compact.extend({ request: z.string() });
export const CLAIM = z.object({
  token: z.string(),
  key: z.string(),
  hello: HELLO,
  challenge: compact.extend({ challengeHash: z.string() }),
  claim: compact.extend({ recipient: z.string(), jwe: z.string(), statementHash: z.string() }),
});
export const RENEWED = compact.extend({ request: z.string() });
export const OPERATOR_CHALLENGE = CHALLENGE.extend({ hello: z.string(), helloHash: z.string() });
export const OPERATOR_SIGN_IN = compact;
export const OPERATOR_REQUEST = compact.extend({ arguments: z.string(), body: z.string() });
export const OPERATOR_STATEMENT = z.object({
  payload: z.string(),
  signatures: z.array(compact.omit({ payload: true, jws: true })).length(2),
  asked: z.string(),
  jws: z.string(),
});
export const FINGERPRINT = z.object({
  salt: z.string(),
  values: z.array(
    z.object({
      kind: z.string(),
      raw: z.string(),
      normalised: z.string().nullable(),
      hmacInput: z.string().optional(),
      hmac: z.string().optional(),
    }),
  ),
  normalisation: z.array(z.object({ kind: z.string(), raw: z.string(), normalised: z.string().nullable() })),
  digestInput: z.string(),
  message: z.object({
    algorithm: z.string(),
    digest: z.string(),
    components: z.array(z.object({ kind: z.string(), hmac: z.string() })),
  }),
});
export const HASH_TO_CURVE = z.object({
  suite: z.string(),
  dst: z.string(),
  message: z.string(),
  q: z.string(),
  rfc9380: z.object({ dst: z.string(), points: z.array(z.object({ message: z.string(), point: z.string() })) }),
});
export const TPM_KEY = z.object({
  endorsementKey: z.string(),
  maker: z.string(),
  endorsement: z.string(),
  publicArea: z.string(),
  name: z.string(),
  seed: z.string(),
  secret: z.string(),
  idObject: z.string(),
  encryptedSecret: z.string(),
  challengeHash: z.string(),
  proofInput: z.string(),
  proof: z.string(),
});

export const WIREGUARD_KEY = z.object({
  devicePrivateKey: z.string(),
  q: z.string(),
  qPem: z.string(),
  ecdhX: z.string(),
  deviceSpki: z.string(),
  salt: z.string(),
  slug: z.string(),
  keys: z.array(
    z.object({
      generation: z.number(),
      info: z.string(),
      okm: z.string(),
      privateKey: z.string(),
      publicKey: z.string(),
    }),
  ),
  proof: z.object({
    proofKey: z.string(),
    sessionProofKey: z.string(),
    generation: z.literal(0),
    secret: z.string(),
    input: z.string(),
    proof: z.string(),
  }),
});
export const THUMBPRINT = z.object({
  jwk: z.object({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string() }),
  input: z.string(),
  thumbprint: z.string(),
});
/** Messages that are the good one bent in one way, with the code of their refusal. */
export const REFUSED = z.object({
  messages: z
    .array(z.object({ name: z.string(), code: z.enum(Object.keys(ERROR_CODES) as ErrorCode[]), body: z.string() }))
    .min(1),
});
