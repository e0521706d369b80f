import { z } from 'zod';

import { base64urlOf, base64urlUpTo, digestText, protocol, timestamp, uuid } from './common.ts';
import { message } from './extensions.ts';
import { fingerprint } from './fingerprint.ts';

/** A device's certificates are numbered: the enrollment's is 1, and each one that the slice issues has a higher number. */
export const FIRST_CERTIFICATE = 1;
const certificateNumber = z.int().min(FIRST_CERTIFICATE).max(1_000_000_000);

/**
 * `POST /v1/devices/{deviceId}/renewals`: compact JWS, `typ` kiwi-renewal+jws, by the device key, which stays. It proves
 * possession of the key, so it needs no client certificate in TLS, which a proxy that intercepts TLS would remove.
 */
export const renewal = message({
  protocol,
  deviceId: uuid,
  /** Number of the certificate that the laptop holds. */
  held: certificateNumber,
  nonce: base64urlOf(16),
  /** PKCS#10 request in DER, for the device key and signed by it. */
  csr: base64urlUpTo(2048),
  /** Fingerprint of the hardware that the laptop runs on now. */
  fingerprint: fingerprint.optional(),
  timestamp,
});
export type Renewal = z.infer<typeof renewal>;

/** The answer: compact JWS, `typ` kiwi-renewed+jws, by the grant key, as the challenge. It carries no secret. */
export const renewed = message({
  protocol,
  deviceId: uuid,
  /** SHA-256 of the request's compact JWS. */
  requestHash: digestText,
  serverTime: timestamp,
  number: certificateNumber,
  certificate: z.strictObject({
    /** DER: device certificate, customer's intermediate. */
    chain: z.array(base64urlUpTo(4096)).length(2),
    renewAfter: timestamp,
  }),
});
export type Renewed = z.infer<typeof renewed>;
