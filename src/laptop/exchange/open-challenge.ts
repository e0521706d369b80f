import type { z } from 'zod';

import { constantTimeEqual, digest, sha256 } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { ChainError, verifyChain } from '../../pki/chain.ts';
import { challengeProof } from '../../pki/claim-token.ts';
import { checkGateway, openGatewaySigned } from '../../pki/gateway-signed.ts';
import type { RevocationList } from '../../pki/revocation-list.ts';
import { intermediateName } from '../../pki/roles.ts';
import { challenge as schema, type Challenge } from '../../protocol/challenge.ts';
import { claimChallenge as claimSchema } from '../../protocol/claim.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { sessionCode } from '../../protocol/session-code.ts';
import { refuseRevoked } from './refuse-revoked.ts';
import { clockDifference } from './clock-difference.ts';

export interface OpenedChallenge {
  readonly challenge: Challenge;
  /** SHA-256 of the compact JWS. */
  readonly hash: Buffer;
  /** The customer's intermediate, which issued both the certificate on the key and the gateway's. */
  readonly intermediate: Certificate;
  /** The pinned root at the end of the chain. */
  readonly root: Certificate;
  /** The gateway's certificate: the grant must be signed by the same key. */
  readonly gateway: Certificate;
  /** Six digits, also shown by the operator's session listing. */
  readonly code: string;
  /** Server's clock minus ours, milliseconds. */
  readonly skewMs: number;
}

/** What was asked, and what the laptop knows of whom it asked. */
export interface ChallengeExpectation {
  readonly jws: string;
  readonly helloBytes: Uint8Array;
  readonly slug: string;
  readonly roots: readonly Certificate[];
  readonly revoked?: readonly RevocationList[];
  /** Wall clock when the challenge arrived, milliseconds. */
  readonly now: number;
}

/**
 * The laptop's check that the other side is the customer's slice: the challenge is signed by a certificate with the gateway's
 * role, issued by **the issuer of the certificate on the inserted key**, under a pinned root; it answers this very hello, for
 * the slug that the key's certificate names, and names the customer as the intermediate's subject does. TLS plays no part in it: a proxy that intercepts TLS gains nothing.
 *
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `slice-revoked`, `key-certificate-replaced`, `key-certificate-invalid`,
 * `clock-skew`
 */
export function openChallenge(input: ChallengeExpectation & { keyCertificate: Certificate }): OpenedChallenge {
  const { keyCertificate, roots } = input;
  const opened = openFrom(input, TYP.challenge, schema, ({ intermediate }) => {
    // The customer's next intermediate, with another key: it is the YubiKey that is behind, and only its operator can renew it.
    if (isReplaced(keyCertificate, intermediate)) {
      throw new KiwiError('key-certificate-replaced', {
        detail: "its issuer is not the customer's intermediate any more",
      });
    }
    if (!keyCertificate.issuerDer.equals(intermediate.subjectDer) || !keyCertificate.isSignedBy(intermediate)) {
      refuse("another issuer than that of the key's certificate");
    }
  });
  const { intermediate, challenge } = opened;
  // After the clock, because a wrong one would make the key's certificate look expired: nobody needs a new key then.
  try {
    verifyChain({ leaf: keyCertificate, intermediate, roots, at: new Date(challenge.serverTime) });
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    throw new KiwiError('key-certificate-invalid', { detail: error.message, cause: error });
  }
  return opened;
}

/**
 * The same for a laptop with a token: the slug is the token's, the root is the one that it names, and the gateway proves a second time, by
 * what only the token's owner can check, that it is the one that knows this token.
 *
 * @param input.tokenKey absent when a challenge is read again that was checked when it arrived
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `slice-revoked`, `clock-skew`; `claim-token-unknown` for the answer of a slice that does not know the token
 */
export function openClaimChallenge(
  input: ChallengeExpectation & { readonly root: string; readonly tokenKey?: Uint8Array | undefined },
): OpenedChallenge {
  const roots = input.roots.filter(({ der }) => digest(der) === input.root);
  return openFrom({ ...input, roots }, TYP.claimChallenge, claimSchema, ({ challenge, gateway }) => {
    if (input.tokenKey === undefined) return;
    const expected = challengeProof(input.tokenKey, { ...challenge, gateway });
    if (!constantTimeEqual(Buffer.from(expected), Buffer.from(challenge.tokenProof))) {
      throw new KiwiError('claim-token-unknown');
    }
  });
}

/** @param identify what makes this intermediate, or this answer, the one that was meant; before anything in the challenge is used */
function openFrom<C extends Challenge>(
  input: ChallengeExpectation,
  typ: string,
  form: z.ZodType<C>,
  identify: (said: { challenge: C; gateway: Certificate; intermediate: Certificate }) => void,
): OpenedChallenge {
  const { payload, gateway, intermediate } = openGatewaySigned(input.jws, typ);
  const challenge = parseMessage(form, payload, LIMITS.challenge, 'slice-not-proven');

  const serverTime = new Date(challenge.serverTime);
  const root = checkGateway({ gateway, intermediate, roots: input.roots, at: serverTime });
  refuseRevoked(intermediate, input.revoked);
  identify({ challenge, gateway, intermediate });
  // The gateway's key is online; who the customer is, the root alone vouches for.
  const { customer } = challenge;
  if (customer.name !== intermediate.subject.o || intermediate.subject.cn !== intermediateName(customer.slug)) {
    refuse("another customer than the intermediate's");
  }
  const helloHash = sha256(input.helloBytes);
  if (challenge.helloHash !== helloHash.toString('base64url')) refuse('answers another hello');
  if (customer.slug !== input.slug) refuse('another customer');

  const skewMs = clockDifference(serverTime, input.now);
  if (new Date(challenge.expiresAt) <= serverTime) refuse('already expired when it was issued');
  const hash = sha256(input.jws);
  return { challenge, hash, intermediate, root, gateway, code: sessionCode(helloHash, hash), skewMs };
}

/** An intermediate begins a day before the root signs it. */
const BACKDATED_MS = 86_400_000;

const isReplaced = (keyCertificate: Certificate, intermediate: Certificate): boolean =>
  keyCertificate.issuerDer.equals(intermediate.subjectDer) &&
  !keyCertificate.isSignedBy(intermediate) &&
  keyCertificate.notBefore.getTime() < intermediate.notBefore.getTime() + BACKDATED_MS;

function refuse(detail: string): never {
  throw new KiwiError('slice-not-proven', { detail });
}
