import { digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseStrictJson } from '../../core/strict-json.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { JoseError, openCompact, type OpenedCompact } from '../../pki/jws.ts';
import { CLOCK_WINDOW_MS, LIMITS, TYP } from '../../protocol/common.ts';
import { MAX_OPERATOR_BODY, operatorBody, operatorRequest } from '../../protocol/operator-request.ts';
import { isVerb, OPERATOR_VERBS, type Verb } from '../../protocol/operator-verbs.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { operatorIn } from '../decisions/operator-certificate.ts';
import type { Actor, OperatorParts } from '../operator/verbs/handlers.ts';
import type { OperatorSessions } from './operator-sessions.ts';
import { requireOperator } from './sign-in.ts';

/** What somebody who is signed in asks, once all of it is proven. */
export interface OpenedRequest {
  readonly sessionId: string;
  readonly actor: Actor;
  /** `session.end` ends the session. */
  readonly verb: Verb | 'session.end';
  readonly given: unknown;
}

/**
 * Opens a request: of a live session, by its key, made now, not taken before, with these arguments, of somebody who is an operator at
 * this moment.
 *
 * @param signed is told whose it is and what it asks as soon as its signature is proven: from there on, also a refusal is somebody's
 * @throws KiwiError `request-malformed`, `request-too-large`, `sign-in-needed`, `sign-in-refused`, `clock-skew`, `request-replayed`,
 *   `operator-unknown`, `not-found`
 */
export async function openRequest(
  parts: Pick<OperatorParts, 'config' | 'identity' | 'registry' | 'clock'>,
  sessions: OperatorSessions,
  body: Buffer,
  signed: (by: { readonly actor: string; readonly action: string }) => void = () => undefined,
): Promise<OpenedRequest> {
  const { config, identity, clock } = parts;
  const { slug } = config.customer;
  const said = parseMessage(operatorBody, body, MAX_OPERATOR_BODY, 'request-malformed');
  const opened = open(said.request);
  const request = parseMessage(operatorRequest, opened.payload, LIMITS.operatorRequest, 'request-malformed');
  const now = clock.now();
  const session = sessions.find(request.sessionId, now);
  if (session === undefined) throw new KiwiError('sign-in-needed', { detail: 'no such session, or it is over' });
  const { kid, x5c, jwk } = opened.header;
  if (kid !== session.thumbprint || x5c !== undefined || jwk !== undefined) refuse("not by the session's key");
  if (!opened.verify(session.key)) refuse('signature');
  const { verb } = request;
  const isKnown = verb === 'session.end' || isVerb(verb);
  signed({ actor: session.name, action: isKnown ? verb : 'operator.request' });
  if (request.slug !== slug) refuse('for another customer');
  if (request.argumentsHash !== digest(said.arguments)) refuse('with other arguments than were signed');
  const skew = Date.parse(request.timestamp) - now;
  if (Math.abs(skew) > CLOCK_WINDOW_MS) {
    throw new KiwiError('clock-skew', { detail: `off by ${Math.round(skew / 1000)} s` });
  }
  if (!sessions.takeNonce(session.id, request.nonce, now)) throw new KiwiError('request-replayed');
  const operator = await requireOperator(parts, session.kid).catch((error: unknown) => {
    sessions.end(session.id);
    throw error;
  });
  // Name and role are what the certificate says: write access to the registry makes nobody an admin.
  const trust = { slug, intermediate: identity.intermediate, root: identity.mspRoot };
  const named = operatorIn(parseCertificate(Buffer.from(operator.certificate, 'base64url')), trust, new Date(now));
  if (typeof named === 'string') throw new KiwiError('operator-unknown', { detail: named });
  if (named.kid !== session.kid) throw new KiwiError('operator-unknown', { detail: 'the certificate of another key' });
  if (!isKnown) throw new KiwiError('not-found', { detail: `no verb ${verb}` });
  const most = verb === 'session.end' ? 16 : OPERATOR_VERBS[verb].maxArguments;
  if (Buffer.byteLength(said.arguments) > most) throw new KiwiError('request-too-large', { detail: verb });
  return { sessionId: session.id, actor: named, verb, given: argumentsOf(said.arguments, most) };
}

function argumentsOf(text: string, most: number): unknown {
  try {
    return parseStrictJson(text, most);
  } catch (error) {
    throw new KiwiError('request-malformed', { detail: 'its arguments are not JSON', cause: error });
  }
}

function open(jws: string): OpenedCompact {
  try {
    return openCompact(jws, TYP.operatorRequest);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('request-malformed', { detail: error.message, cause: error });
  }
}

function refuse(detail: string): never {
  throw new KiwiError('sign-in-refused', { detail });
}
