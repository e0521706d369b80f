import { sha256 } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { ChainError, verifyChain } from '../../pki/chain.ts';
import { checkGateway, openGatewaySigned } from '../../pki/gateway-signed.ts';
import type { RevocationList } from '../../pki/revocation-list.ts';
import { intermediateName } from '../../pki/roles.ts';
import { challenge as schema, type Challenge } from '../../protocol/challenge.ts';
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

/**
 * The laptop's check that the other side is the customer's slice: the challenge is signed by a certificate with the gateway's
 * role, issued by **the issuer of the certificate on the inserted key**, under a pinned root; it answers this very hello, for
 * the slug that the key's certificate names, and names the customer as the intermediate's subject does. TLS plays no part in it: a proxy that intercepts TLS gains nothing.
 *
 * @param input.now wall clock when the challenge arrived, milliseconds
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `slice-revoked`, `key-certificate-replaced`, `key-certificate-invalid`,
 * `clock-skew`
 */
export function openChallenge(input: {
  jws: string;
  helloBytes: Uint8Array;
  slug: string;
  keyCertificate: Certificate;
  roots: readonly Certificate[];
  revoked?: readonly RevocationList[];
  now: number;
}): OpenedChallenge {
  const { payload, gateway, intermediate } = openGatewaySigned(input.jws, TYP.challenge);
  const challenge = parseMessage(schema, payload, LIMITS.challenge, 'slice-not-proven');

  const serverTime = new Date(challenge.serverTime);
  const root = checkGateway({ gateway, intermediate, roots: input.roots, at: serverTime });
  refuseRevoked(intermediate, input.revoked);
  const { keyCertificate } = input;
  // The customer's next intermediate, with another key: it is the YubiKey that is behind, and only its operator can renew it.
  if (isReplaced(keyCertificate, intermediate)) {
    throw new KiwiError('key-certificate-replaced', {
      detail: "its issuer is not the customer's intermediate any more",
    });
  }
  if (!keyCertificate.issuerDer.equals(intermediate.subjectDer) || !keyCertificate.isSignedBy(intermediate)) {
    refuse("another issuer than that of the key's certificate");
  }
  // The gateway's key is online; who the customer is, the root alone vouches for.
  const { customer } = challenge;
  if (customer.name !== intermediate.subject.o || intermediate.subject.cn !== intermediateName(customer.slug)) {
    refuse("another customer than the intermediate's");
  }
  const helloHash = sha256(input.helloBytes);
  if (challenge.helloHash !== helloHash.toString('base64url')) refuse('answers another hello');
  if (customer.slug !== input.slug) refuse('another customer');

  // Before the validity of the key's certificate, which a wrong clock would make look expired: nobody needs a new key then.
  const skewMs = clockDifference(serverTime, input.now);
  try {
    verifyChain({ leaf: keyCertificate, intermediate, roots: input.roots, at: serverTime });
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    throw new KiwiError('key-certificate-invalid', { detail: error.message, cause: error });
  }
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
