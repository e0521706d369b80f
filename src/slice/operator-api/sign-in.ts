import { randomUUID } from 'node:crypto';

import { digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { JoseError, openCompact, signCompact, type OpenedCompact } from '../../pki/jws.ts';
import { jwkThumbprint, jwkToKey } from '../../pki/keys.ts';
import { CLOCK_WINDOW_MS, LIMITS, PROTOCOL, TYP } from '../../protocol/common.ts';
import {
  operatorHello,
  operatorSignIn,
  type OperatorChallenge,
  type OperatorSession,
} from '../../protocol/operator-sign-in.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { operatorIn } from '../decisions/operator-certificate.ts';
import type { OperatorParts } from '../operator/verbs/handlers.ts';
import type { OperatorSessions } from './operator-sessions.ts';

/** Enough to type a PIN. */
const CHALLENGE_MS = 3 * 60_000;

type Parts = Pick<OperatorParts, 'config' | 'identity' | 'registry' | 'clock'>;

/** Answers an operator's hello. @returns a compact JWS by the grant key @throws KiwiError `request-malformed` */
export async function openOperatorChallenge(parts: Parts, sessions: OperatorSessions, body: Buffer): Promise<string> {
  const { config, identity, clock } = parts;
  const hello = parseMessage(operatorHello, body, LIMITS.operatorHello, 'request-malformed');
  const now = clock.now();
  const content: OperatorChallenge = {
    ...{ protocol: PROTOCOL, challengeId: randomUUID(), nonce: hello.nonce, helloHash: digest(body) },
    customer: { slug: config.customer.slug, name: config.customer.name },
    expiresAt: new Date(now + CHALLENGE_MS).toISOString(),
    serverTime: new Date(now).toISOString(),
  };
  const challenge = await signCompact({
    typ: TYP.operatorChallenge,
    payload: JSON.stringify(content),
    signer: identity.signer,
    x5c: [identity.grantCertificate.der, identity.intermediate.der],
  });
  const { challengeId: id } = content;
  const { sessionKeyThumbprint } = hello;
  sessions.addChallenge({ id, hash: digest(challenge), sessionKeyThumbprint, expiresAt: now + CHALLENGE_MS });
  return challenge;
}

/**
 * Opens a session for whom the signature on a challenge proves.
 * @throws KiwiError `request-malformed`, `sign-in-refused`, `operator-unknown`
 */
export async function signIn(
  parts: Parts,
  sessions: OperatorSessions,
  body: Buffer,
  request: { readonly requestId: string },
): Promise<OperatorSession> {
  const { config, identity, registry, clock } = parts;
  const now = clock.now();
  const opened = open(body);
  const message = parseMessage(operatorSignIn, opened.payload, LIMITS.operatorSignIn, 'request-malformed');
  const challenge = sessions.takeChallenge(message.challengeId, now);
  if (challenge === undefined) return refuse('the challenge is over, or was used');
  const [certificate, ...more] = opened.x5c;
  if (
    certificate === undefined ||
    more.length > 0 ||
    opened.header.jwk !== undefined ||
    opened.header.kid !== undefined
  )
    return refuse('no certificate of the key');
  const { slug } = config.customer;
  const trust = { slug, intermediate: identity.intermediate, root: identity.mspRoot };
  const named = operatorIn(certificate, trust, new Date(now));
  if (typeof named === 'string') return unknown(named);
  if (!opened.verify(certificate.publicKey)) refuse('signature');
  if (message.slug !== slug) refuse('for another customer');
  if (message.challengeHash !== challenge.hash) refuse('for another challenge');
  const thumbprint = jwkThumbprint(message.sessionKey);
  if (thumbprint !== challenge.sessionKeyThumbprint) refuse('another key than the hello committed to');
  if (Math.abs(Date.parse(message.timestamp) - now) > CLOCK_WINDOW_MS) throw new KiwiError('clock-skew');
  await requireOperator(parts, named.kid, named);
  const issued = await registry.findCertificate(certificate.serialHex);
  if (issued === undefined || issued.revokeWhy !== null) unknown('its certificate is not one that is registered');
  const session = {
    ...{ id: randomUUID(), kid: named.kid, name: named.name, key: jwkToKey(message.sessionKey), thumbprint },
    // Not longer than the certificate.
    expiresAt: Math.min(now + message.hours * 3_600_000, certificate.notAfter.getTime()),
  };
  const why = `${named.role}, until ${new Date(session.expiresAt).toISOString()}`;
  await registry.audit(
    { requestId: request.requestId, actor: named.name, action: 'operator.sign-in', decision: 'allowed', why },
    now,
  );
  sessions.add(session);
  return {
    ...{ sessionId: session.id, operator: named.name, role: named.role },
    expiresAt: new Date(session.expiresAt).toISOString(),
  };
}

/** That the registry still has the operator, as the certificate says. @throws KiwiError `operator-unknown` */
export async function requireOperator(
  { registry }: Pick<Parts, 'registry'>,
  kid: string,
  named?: { readonly name: string; readonly role: string },
) {
  const operator = await registry.findOperator(kid);
  if (operator === undefined) return unknown('not registered');
  if (operator.removedAt !== null) unknown(`removed: ${operator.removedWhy ?? ''}`);
  const same = named === undefined || (operator.name === named.name && operator.role === named.role);
  if (!same) unknown('registered with another name or role');
  return operator;
}

function open(body: Buffer): OpenedCompact {
  try {
    return openCompact(body.toString('latin1'), TYP.operatorSignIn);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('request-malformed', { detail: error.message, cause: error });
  }
}

function refuse(detail: string): never {
  throw new KiwiError('sign-in-refused', { detail });
}

function unknown(detail: string): never {
  throw new KiwiError('operator-unknown', { detail });
}
