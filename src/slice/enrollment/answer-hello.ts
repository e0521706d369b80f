import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';

import type { z } from 'zod';

import { base64url, sha256 } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseStrictJson } from '../../core/strict-json.ts';
import { signCompact } from '../../pki/jws.ts';
import { generateP256PairAside, publicJwk } from '../../pki/keys.ts';
import type { Challenge } from '../../protocol/challenge.ts';
import { LIMITS, PROTOCOL, TYP } from '../../protocol/common.ts';
import type { Hello } from '../../protocol/hello.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { sessionCode } from '../../protocol/session-code.ts';
import { AuditBudget } from '../decisions/audit-budget.ts';
import { gatewayLimits } from '../decisions/crowd-limits.ts';
import type { Session } from '../registry/registry.ts';
import { auditOf, perSlice, timestampOf, type RequestContext, type SliceContext } from '../slice-context.ts';

/** Which hellos are recorded in the audit; the log has all of them. */
const budgetOf = perSlice(({ config }) => new AuditBudget(gatewayLimits(config.rateLimit).records));

/** A session that is being opened. */
export interface Opening {
  readonly id: string;
  readonly key: KeyObject;
  readonly helloHash: string;
  readonly serverNonce: string;
}

/** What differs between the first messages of an enrollment and of a claim. */
export interface Greeting {
  readonly message: Hello;
  readonly typ: typeof TYP.challenge | typeof TYP.claimChallenge;
  /** What the challenge has beside what every challenge has. */
  readonly members: (opening: Opening) => object;
  /** What is kept of it. */
  readonly kept: Pick<Session, 'tokenId' | 'endorsement'>;
}

/**
 * Answers a hello with a challenge. The same hello bytes get the same challenge while the session lives.
 *
 * @returns the challenge, a compact JWS
 * @throws KiwiError `agent-too-old`, `attempt-conflict`, `session-expired`, `too-many-requests`, and what `members` throws
 */
export async function answerHello(
  slice: SliceContext,
  body: Buffer,
  { message, typ, members, kept: about }: Greeting,
  request: RequestContext,
): Promise<string> {
  const { policy, customer, fingerprintSalt, windows } = slice.config;
  if (isOlder(message.agentVersion, policy.minimumAgentVersion)) throw new KiwiError('agent-too-old');
  const helloDigest = sha256(body);
  const helloHash = base64url(helloDigest);
  const now = slice.clock.now();
  const key = await generateP256PairAside();
  const session = { id: randomUUID(), expiresAt: now + windows.sessionSeconds * 1000 };
  request.sessionId = session.id;
  const serverNonce = base64url(randomBytes(32));
  const content: Challenge = {
    protocol: PROTOCOL,
    sessionId: session.id,
    serverNonce,
    helloHash,
    expiresAt: timestampOf(session.expiresAt),
    serverTime: timestampOf(now),
    customer: { slug: customer.slug, name: customer.name },
    fingerprintSalt,
    policy,
    encryptionKey: publicJwk(key.publicKey),
    proofKey: slice.identity.proof.publicText,
    ...members({ id: session.id, key: key.privateKey, helloHash, serverNonce }),
  };
  const challenge = await signCompact({
    typ,
    payload: JSON.stringify(content),
    signer: slice.identity.signer,
    x5c: [slice.identity.grantCertificate.der, slice.identity.intermediate.der],
  });
  const challengeDigest = sha256(challenge);
  const kept = await slice.registry.addSession(
    {
      ...session,
      attemptId: message.attemptId,
      helloHash,
      deviceKeyThumbprint: message.deviceKeyThumbprint,
      challenge,
      challengeHash: base64url(challengeDigest),
      code: sessionCode(helloDigest, challengeDigest),
      // In the registry and not in memory, so that any replica can accept the statement; deleted with its session.
      privateKey: key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      remote: request.remote,
      createdAt: now,
      usedAt: null,
      ...about,
    },
    gatewayLimits(slice.config.rateLimit).sessions,
    isAudited(slice, request) ? auditOf(request, 'allowed', { why: `agent ${message.agentVersion}` }) : undefined,
  );
  if ('refused' in kept) throw new KiwiError(kept.refused, { detail: kept.why });
  return sameChallenge(kept, helloHash, now, request);
}

/** @throws KiwiError `request-malformed`, `protocol-unsupported` */
export function parseHello<S extends z.ZodType>(schema: S, body: Buffer): z.infer<S> {
  try {
    return parseMessage(schema, body, LIMITS.hello, 'request-malformed');
  } catch (error) {
    // A later protocol version may have other fields, so the version is reported before what is wrong with them.
    throw isOtherProtocol(body) ? new KiwiError('protocol-unsupported', { cause: error }) : error;
  }
}

function isAudited(slice: SliceContext, request: RequestContext): boolean {
  return budgetOf(slice).take(request.remote, slice.clock.monotonic());
}

function sameChallenge(
  session: { id: string; helloHash: string; expiresAt: number; challenge: string },
  helloHash: string,
  now: number,
  request: RequestContext,
): string {
  request.sessionId = session.id;
  if (session.helloHash !== helloHash) throw new KiwiError('attempt-conflict', { detail: 'another hello' });
  if (session.expiresAt <= now) throw new KiwiError('session-expired');
  return session.challenge;
}

function isOtherProtocol(body: Buffer): boolean {
  try {
    const value = parseStrictJson(body, LIMITS.hello);
    if (typeof value !== 'object' || value === null || !('protocol' in value)) return false;
    return typeof value.protocol === 'string' && value.protocol !== PROTOCOL;
  } catch {
    return false;
  }
}

function isOlder(version: string, minimum: string): boolean {
  const [left, right] = [version, minimum].map((text) => text.split('.').map(Number));
  for (const [index, part] of (right ?? []).entries()) {
    const difference = (left?.[index] ?? 0) - part;
    if (difference !== 0) return difference < 0;
  }
  return false;
}
