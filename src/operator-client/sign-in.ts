import { randomBytes } from 'node:crypto';

import { base64url, digest } from '../core/bytes.ts';
import { parsePemBundle, type Certificate } from '../pki/certificate.ts';
import { signCompact } from '../pki/jws.ts';
import { generateP256Pair, jwkThumbprint, publicJwk } from '../pki/keys.ts';
import type { Signer } from '../pki/signer.ts';
import { LIMITS, MEDIA, PROTOCOL, TYP } from '../protocol/common.ts';
import {
  operatorSession,
  type OperatorChallenge,
  type OperatorHello,
  type OperatorSignIn,
} from '../protocol/operator-sign-in.ts';
import { parseMessage } from '../protocol/parse.ts';
import { openOperatorChallenge } from './open-operator-challenge.ts';
import { operatorHttp } from './operator-http.ts';
import type { SignedIn } from './signed-in.ts';

export interface SignInRequest {
  /** https://10.77.0.1:9444 */
  readonly gateway: string;
  /** PEM bundle of the provider's roots. */
  readonly roots: string;
  readonly hours: number;
  /** The operator's YubiKey. Signs once, after the slice has proven whose it is. */
  readonly key: { readonly certificate: Certificate; readonly signer: Signer };
  /** Whose slice it is; called before the YubiKey signs. */
  readonly proven?: (customer: OperatorChallenge['customer']) => void;
}

/**
 * Signs an operator in: the slice proves that it is the one that issued the certificate in the YubiKey, then the YubiKey signs for a key that
 * was made for this session.
 *
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `key-certificate-replaced`, `slice-unreachable`, `operator-unknown`, `sign-in-refused`; and those of the
 *   token
 */
export async function signIn({ gateway, roots, hours, key, proven }: SignInRequest): Promise<SignedIn> {
  const session = generateP256Pair();
  const sessionJwk = publicJwk(session.publicKey);
  const hello = JSON.stringify({
    protocol: PROTOCOL,
    nonce: base64url(randomBytes(32)),
    sessionKeyThumbprint: jwkThumbprint(sessionJwk),
  } satisfies OperatorHello);
  const first = operatorHttp(gateway, roots, undefined);
  let jws: string;
  try {
    jws = (await first.post('/v1/operator/challenges', MEDIA.json, hello, LIMITS.challenge)).toString('latin1');
  } finally {
    await first.close();
  }
  const { challenge, root } = openOperatorChallenge({
    jws,
    hello,
    roots: parsePemBundle(roots),
    certificate: key.certificate,
  });
  const { customer, challengeId } = challenge;
  proven?.(customer);
  const message: OperatorSignIn = {
    ...{
      protocol: PROTOCOL,
      slug: customer.slug,
      challengeId,
      challengeHash: digest(jws),
      sessionKey: sessionJwk,
      hours,
    },
    // By the slice's clock, which the challenge proves; ours may be wrong, and the challenge is good for minutes only.
    timestamp: challenge.serverTime,
  };
  const signed = await signCompact({
    ...{ typ: TYP.operatorSignIn, payload: JSON.stringify(message), signer: key.signer, x5c: [key.certificate.der] },
  });
  const second = operatorHttp(gateway, root.pem, customer.slug);
  try {
    const answer = await second.post('/v1/operator/sessions', MEDIA.jose, signed, LIMITS.error);
    const { sessionId, operator, role, expiresAt } = parseMessage(
      operatorSession,
      answer,
      LIMITS.error,
      'slice-answer-invalid',
    );
    return {
      ...{
        version: 1,
        gateway: new URL(gateway).origin,
        customer,
        root: root.pem,
        sessionId,
        operator,
        role,
        expiresAt,
      },
      sessionKey: session.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
  } finally {
    await second.close();
  }
}
