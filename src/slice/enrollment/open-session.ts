import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';

import { base64url, sha256 } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseStrictJson } from '../../core/strict-json.ts';
import { signCompact } from '../../pki/jws.ts';
import { generateP256Pair, publicJwk } from '../../pki/keys.ts';
import { tpmSecret } from '../../pki/tpm-proof.ts';
import type { Challenge } from '../../protocol/challenge.ts';
import { LIMITS, PROTOCOL, TYP } from '../../protocol/common.ts';
import { hello, type Hello } from '../../protocol/hello.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { sessionCode } from '../../protocol/session-code.ts';
import { tpmClaimIn, tpmExtension } from '../../protocol/tpm-key.ts';
import { AuditBudget } from '../decisions/audit-budget.ts';
import { gatewayLimits } from '../decisions/crowd-limits.ts';
import { credentialFor } from '../decisions/tpm-claim.ts';
import { auditOf, timestampOf, type RequestContext, type SliceContext } from '../slice-context.ts';

/** Which hellos are recorded in the audit; the log has all of them. */
const budgets = new WeakMap<SliceContext, AuditBudget>();

/**
 * Answers a hello with a challenge. The same hello bytes get the same challenge while the session lives.
 *
 * @returns the challenge, a compact JWS
 * @throws KiwiError `request-malformed`, `protocol-unsupported`, `agent-too-old`, `attempt-conflict`,
 *   `session-expired`, `too-many-requests`, `tpm-maker-unknown`, `tpm-key-refused`
 */
export async function openSession(slice: SliceContext, body: Buffer, request: RequestContext): Promise<string> {
  const message = parseHello(body);
  const { policy, customer, fingerprintSalt, windows } = slice.config;
  if (isOlder(message.agentVersion, policy.minimumAgentVersion)) throw new KiwiError('agent-too-old');
  const helloDigest = sha256(body);
  const helloHash = base64url(helloDigest);
  const now = slice.clock.now();
  const key = generateP256Pair();
  const session = { id: randomUUID(), expiresAt: now + windows.sessionSeconds * 1000 };
  request.sessionId = session.id;
  const content: Challenge = {
    protocol: PROTOCOL,
    sessionId: session.id,
    serverNonce: base64url(randomBytes(32)),
    helloHash,
    expiresAt: timestampOf(session.expiresAt),
    serverTime: timestampOf(now),
    customer: { slug: customer.slug, name: customer.name },
    fingerprintSalt,
    policy,
    encryptionKey: publicJwk(key.publicKey),
    proofKey: slice.identity.proof.publicText,
    ...tpmPart(slice, message, { id: session.id, key: key.privateKey }),
  };
  const challenge = await signCompact({
    typ: TYP.challenge,
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
    },
    gatewayLimits(slice.config.rateLimit).sessions,
    isAudited(slice, request) ? auditOf(request, 'allowed', { why: `agent ${message.agentVersion}` }) : undefined,
  );
  if ('refused' in kept) throw new KiwiError(kept.refused, { detail: kept.why });
  return sameChallenge(kept, helloHash, now, request);
}

/**
 * That this slice wants the device key in a TPM, and to a laptop that says its key is in one the credential that proves it. Nothing
 * where the slice does not want that: then it does not look at what a laptop says of its TPM.
 *
 * @throws KiwiError `request-malformed`, `tpm-maker-unknown`, `tpm-key-refused`
 */
function tpmPart(
  slice: SliceContext,
  message: Hello,
  session: { id: string; key: KeyObject },
): Pick<Challenge, 'extensions'> {
  const { tpm: want } = slice.config.deviceKey;
  if (want === 'off') return {};
  const claim = tpmClaimIn(message);
  if (claim === undefined) return { extensions: tpmExtension({ want }) };
  if (claim === 'malformed') throw new KiwiError('request-malformed', { detail: 'what it says of a TPM' });
  const { idObject, encryptedSecret } = credentialFor(claim, message.deviceKeyThumbprint, {
    makers: slice.identity.tpmMakers,
    secret: tpmSecret(session.key, session.id),
  });
  const credential = { idObject: base64url(idObject), encryptedSecret: base64url(encryptedSecret) };
  return { extensions: tpmExtension({ want, credential }) };
}

function isAudited(slice: SliceContext, request: RequestContext): boolean {
  const budget = budgets.get(slice) ?? new AuditBudget(gatewayLimits(slice.config.rateLimit).records);
  budgets.set(slice, budget);
  return budget.take(request.remote, slice.clock.monotonic());
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

function parseHello(body: Buffer): Hello {
  try {
    return parseMessage(hello, body, LIMITS.hello, 'request-malformed');
  } catch (error) {
    // A later protocol version may have other fields, so the version is reported before what is wrong with them.
    throw isOtherProtocol(body) ? new KiwiError('protocol-unsupported', { cause: error }) : error;
  }
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
