import { z } from 'zod';

import { base64urlOf, digestText, protocol, slug, timestamp, uuid } from './common.ts';
import { requestId } from './error.ts';
import { message } from './extensions.ts';

/** The longest of a request's bodies: the arguments of the verb that takes most, and the signature. */
export const MAX_OPERATOR_BODY = 8 * 1024 * 1024;

/**
 * What the session's key signs of each request: compact JWS, `typ` kiwi-operator-request+jws, `kid` = its thumbprint. A nonce is taken once,
 * for as long as its timestamp would be.
 */
export const operatorRequest = message({
  protocol,
  slug,
  sessionId: uuid,
  nonce: base64urlOf(16),
  timestamp,
  /** A row of OPERATOR_VERBS, or `session.end`. */
  verb: z
    .string()
    .regex(/^[a-z][a-z-]*\.[a-z-]+$/u)
    .max(64),
  /** SHA-256 of the arguments, as they stand in the body. */
  argumentsHash: digestText,
});
export type OperatorRequest = z.infer<typeof operatorRequest>;

/** `POST /v1/operator/requests`: JSON. The arguments are a text, so that what was hashed is what is read. */
export const operatorBody = z.strictObject({
  request: z.string().max(8 * 1024),
  arguments: z.string().max(MAX_OPERATOR_BODY),
});

/** The answer: JSON. */
export const operatorAnswer = z.object({ result: z.unknown() });

/** A refusal. Other than a laptop, an operator is told the details. */
export const operatorRefusal = z.object({
  code: z.string().max(64),
  message: z.string().max(500),
  hint: z.string().max(2000),
  detail: z.string().max(4000).exactOptional(),
  retryable: z.boolean(),
  requestId,
});
