import { constantTimeEqual } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { claimProof } from '../../pki/claim-token.ts';
import { openCompact } from '../../pki/jws.ts';
import { claim as schema } from '../../protocol/claim.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { decideClaim, type ClaimRefusal } from '../decisions/decide-claim.ts';
import {
  checkDeviceSignature,
  checkLaptop,
  checkMeant,
  openTo,
  provesTpm,
  refuse,
  sessionKeyOf,
  type Admit,
} from '../enrollment/check-laptop.ts';
import type { Entrance } from '../enrollment/grant-device.ts';
import type { ClaimToken, KnownSession } from '../registry/registry.ts';
import { auditOf, type RequestContext, type SliceContext } from '../slice-context.ts';
import { knownToken } from './known-token.ts';

/** How often a laptop that waits for an operator asks. */
const ASK_AGAIN_MS = 15_000;

/**
 * Every check of a claim that needs no other device, in the order of protocol.md: device key → session → proof of the token → token,
 * laptop and TPM → CSR → WireGuard key → form of the fingerprint → an operator's approval, where the customer wants it.
 *
 * Until the proof of the token, everything is as for a token that is not known.
 */
const validateClaim: Admit = async (slice, session, body, request) => {
  const { tokenId } = session;
  if (tokenId === null) throw new TypeError('a session that was opened by a claim');
  const sessionKey = sessionKeyOf(session);
  const opened = await openTo(sessionKey, body, TYP.claimEncrypted, (plain) =>
    openCompact(plain.toString('utf8'), TYP.claim),
  );
  const statement = parseMessage(schema, opened.payload, LIMITS.statement, 'request-malformed');
  const { deviceKey, devicePublicKey } = await checkDeviceSignature(session, opened);
  checkMeant(slice, session, statement);

  const { token, key } = await knownToken(slice, tokenId);
  const expected = claimProof(key, session.challengeHash);
  if (!constantTimeEqual(Buffer.from(expected), Buffer.from(statement.tokenProof)) || token === undefined) {
    return refuse('claim-refused', 'its sender does not have the token');
  }
  const held = await slice.registry.findClaim(session.id);
  const refusal = decideClaim(token, statement.host, held?.createdAt ?? slice.clock.now());
  if (refusal !== undefined) return refuseClaim(slice, token, refusal, request);
  const keyKind = await checkLaptop(slice, statement, devicePublicKey, () => {
    const proven = provesTpm(session, sessionKey, statement) && session.endorsement === token.endorsement;
    return proven ? 'tpm' : 'unproven';
  });
  if (token.endorsement !== null && keyKind !== 'tpm') {
    const why = session.endorsement === null ? 'no proof of its TPM' : 'another TPM than that of the token';
    return refuseClaim(slice, token, { refused: 'claim-other-laptop', why, smells: true }, request);
  }
  if (token.endorsement === null && slice.config.claims.withoutTpm === 'approve') {
    await requireApproval(slice, session, { token, hostName: statement.host.name }, request);
  }
  return {
    statement,
    deviceKey,
    keyKind,
    role: token.role,
    warning: `claimed: ${token.batch}, ${token.serial}`,
    yubikeySerial: null,
    tokenId,
  };
};

/** A laptop that its maker's token vouches for. */
export const BY_TOKEN: Entrance = { isOf: ({ tokenId }) => tokenId !== null, admit: validateClaim };

/** Who holds a token that is not his, or a copy of one that was used, is named to the operators. */
async function refuseClaim(
  slice: SliceContext,
  token: ClaimToken,
  { refused, why, smells }: ClaimRefusal,
  request: RequestContext,
): Promise<never> {
  if (smells) {
    const text = `token ${token.id} of ${token.serial}: ${why}`;
    const about = token.deviceId === null ? request : { ...request, deviceId: token.deviceId };
    const alarm = auditOf(about, 'alarm', { action: 'claim.suspect', code: refused, why: text });
    if (await slice.registry.raiseClaimAlarm(token.id, alarm, slice.clock.now())) {
      slice.log.error({ requestId: request.requestId, tokenId: token.id, code: refused, why }, 'claim alarm');
    }
  }
  throw new KiwiError(refused, { detail: why });
}

/** @throws KiwiError `claim-waits` while no operator has decided, `claim-not-approved` */
async function requireApproval(
  slice: SliceContext,
  session: KnownSession,
  { token, hostName }: { token: ClaimToken; hostName: string },
  request: RequestContext,
): Promise<void> {
  const { registry, clock, config } = slice;
  const now = clock.now();
  const claim = await registry.holdClaim(
    {
      ...{ sessionId: session.id, tokenId: token.id, code: session.code, hostName },
      ...{ deviceKeyThumbprint: session.deviceKeyThumbprint, remote: request.remote, createdAt: now },
    },
    now + config.claims.approvalHours * 3_600_000,
    auditOf(request, 'allowed', { action: 'claim.wait', why: `${token.batch}, ${token.serial}, code ${session.code}` }),
  );
  if (claim.state === 'approved') return;
  if (claim.state === 'refused') throw new KiwiError('claim-not-approved', { detail: `by ${claim.decidedBy ?? ''}` });
  throw new KiwiError('claim-waits', { detail: `code ${session.code}`, retryAfterMs: ASK_AGAIN_MS });
}
