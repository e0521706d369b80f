import { z } from 'zod';

import { base64urlUpTo, digestText, hostName, protocol, slug, text, timestamp, uuid, wireguardKey } from './common.ts';
import { COMPONENT_LENGTH } from './component-text.ts';
import { message } from './extensions.ts';
import { fingerprint } from './fingerprint.ts';

/** PIV slots that can hold an enrollment key, as PIV names them. */
export const pivSlot = z.string().regex(/^(9[acde]|8[2-9a-f]|9[0-5])$/);
export type PivSlot = z.infer<typeof pivSlot>;

/** What a laptop says of itself, whoever vouches for it. */
export const laptopMembers = {
  protocol,
  slug,
  sessionId: uuid,
  challengeHash: digestText,
  /** PKCS#10 request in DER, for the device key and signed by it. */
  csr: base64urlUpTo(2048),
  wireguardPublicKey: wireguardKey,
  /** That the sender holds the private half; pki/wireguard-proof.ts. */
  wireguardProof: digestText,
  fingerprint,
  host: z.strictObject({
    name: hostName,
    os: z.enum(['linux', 'macos', 'windows']),
    osVersion: text(100),
    arch: z.enum(['x64', 'arm64']),
    serial: text(COMPONENT_LENGTH).optional(),
    uuid: uuid.optional(),
    model: text(100).optional(),
  }),
} as const;

/**
 * What the person's touch signs: general JWS, `typ` kiwi-statement+jws, with two signatures over the same payload,
 * first the YubiKey's (`x5c`: its certificate, the intermediate), then the device key's (`jwk`); inside a JWE to the
 * session's key.
 */
export const statement = message({
  ...laptopMembers,
  yubikey: z.strictObject({
    serial: z.int().min(1).max(0xffffffff),
    slot: pivSlot,
    attestation: base64urlUpTo(4096),
    attestationIssuer: base64urlUpTo(4096),
  }),
  priorDeviceId: uuid.optional(),
  consentId: uuid.optional(),
  timestamp,
});
export type Statement = z.infer<typeof statement>;
