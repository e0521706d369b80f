import { randomBytes } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import type { Signer } from '../../pki/signer.ts';

/** Shorter than the time for which step-ca remembers used tokens; long enough for a busy CA. */
const LIFETIME_SECONDS = 120;

export interface TokenInput {
  readonly provisioner: string;
  readonly keyId: string;
  readonly signer: Signer;
  readonly audience: string;
  readonly subject: string;
  readonly nowMs: number;
  /** Further claims: sans, cnf, and those that the template requires. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/**
 * A one-time token for step-ca's JWK provisioner (JWS compact, ES256). step-ca also accepts tokens without exp, iat or
 * jti, so we always set them.
 */
export async function oneTimeToken(input: TokenInput): Promise<string> {
  const now = Math.floor(input.nowMs / 1000);
  const encode = (value: object): string => base64url(Buffer.from(JSON.stringify(value)));
  const signed = `${encode({ alg: 'ES256', kid: input.keyId, typ: 'JWT' })}.${encode({
    iss: input.provisioner,
    aud: input.audience,
    sub: input.subject,
    iat: now,
    nbf: now,
    exp: now + LIFETIME_SECONDS,
    jti: randomBytes(32).toString('hex'),
    ...input.claims,
  })}`;
  const signature = await input.signer.sign(Buffer.from(signed));
  return `${signed}.${base64url(signature)}`;
}
