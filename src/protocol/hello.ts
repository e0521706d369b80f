import { z } from 'zod';

import { base64urlOf, digestText, protocol, uuid, version } from './common.ts';
import { message } from './extensions.ts';

/** What every first message has, of an enrollment and of a claim. */
export const helloMembers = {
  protocol,
  /** Idempotency: the same hello for the same attempt gets the same challenge while that is valid. */
  attemptId: uuid,
  /** Freshness of the gateway's proof. */
  clientNonce: base64urlOf(32),
  /** RFC 7638 thumbprint of the device key: commits to it before the challenge is known. */
  deviceKeyThumbprint: digestText,
  agentVersion: version,
} as const;

/**
 * `POST /v1/enrollments`: the first message, and the only unsigned one. The gateway hashes the bytes exactly as
 * received.
 */
export const hello = message(helloMembers);
export type Hello = z.infer<typeof hello>;
