import { KiwiError } from '../../../core/errors.ts';
import type { ClaimRecord } from '../../../protocol/operator-records.ts';
import type { ClaimRequest } from '../../registry/registry.ts';
import { findClaim, findClaimToken } from '../find-target.ts';
import type { Asked, Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** The tokens of laptops that an OEM delivers, and what laptops have claimed with them. */
export function claimVerbs({ registry, clock }: OperatorParts): Handlers<VerbsOf<'batch'> | VerbsOf<'claim'>> {
  const shown = async (claim: ClaimRequest): Promise<ClaimRecord> => {
    const token = await registry.findToken(claim.tokenId);
    return { ...claim, serial: token?.serial ?? '' };
  };
  const decide = async (
    given: string,
    state: 'approved' | 'refused',
    why: string,
    { audited, actor }: Asked,
  ): Promise<ClaimRecord> => {
    const now = clock.now();
    const claim = await findClaim(registry, given, now);
    const entry = audited(`claim.${state === 'approved' ? 'approve' : 'refuse'}`, {
      ...{ sessionId: claim.sessionId, why: `token ${claim.tokenId}, code ${claim.code}: ${why}` },
    });
    const decided = await registry.decideClaim(
      { sessionId: claim.sessionId, state, decidedBy: actor.name },
      now,
      entry,
    );
    if (decided === 'unknown') throw new KiwiError('claim-unknown', { detail: given });
    if (decided === 'other') throw new KiwiError('claim-twice', { detail: `token ${claim.tokenId}` });
    return shown({ ...claim, state, decidedBy: actor.name, decidedAt: now });
  };
  return {
    async 'batch.create'({ batch, role, expiresAt, tokens }, { audited }) {
      const now = clock.now();
      if (expiresAt <= now) throw new KiwiError('usage', { detail: 'it would have expired already' });
      const why = `${batch}: ${tokens.length} laptops, role ${role}, until ${new Date(expiresAt).toISOString()}`;
      const added = await registry.addTokens(
        tokens.map((token) => ({ ...token, batch, role, expiresAt, createdAt: now })),
        audited('batch.create', { why }),
      );
      if (added !== 'added') throw new KiwiError('token-exists', { detail: added.taken });
      return {};
    },
    'batch.tokens': ({ batch }) => registry.listTokens(batch),
    async 'batch.revoke'({ tokens, why }, { audited }) {
      const entry = audited('batch.revoke', { why: `${tokens.length} tokens: ${why}` });
      return { revoked: await registry.revokeTokens(tokens, why, clock.now(), entry) };
    },
    async 'claim.list'({ all }) {
      return Promise.all((await registry.listClaims(clock.now(), all)).map(shown));
    },
    'claim.approve': ({ claim }, asked) => decide(claim, 'approved', 'code compared', asked),
    'claim.refuse': ({ claim, why }, asked) => decide(claim, 'refused', why, asked),
    async 'claim.reopen'({ token: given, hours, serial, uuid, why }, { audited }) {
      const token = await findClaimToken(registry, given);
      const now = clock.now();
      const changed = serial !== undefined || uuid !== undefined;
      const to = {
        expiresAt: now + hours * 3_600_000,
        ...(serial === undefined ? {} : { serial }),
        ...(uuid === undefined ? {} : { uuid }),
        // Another mainboard has another TPM, which nobody has named.
        ...(changed ? { endorsement: null } : {}),
      };
      const what = `token ${token.id} of ${token.serial}${changed ? `, now ${serial ?? token.serial} ${uuid ?? ''}` : ''}`;
      await registry.reopenToken(token.id, to, audited('claim.reopen', { why: `${what}: ${why}` }), now);
      const reopened = await registry.findToken(token.id);
      if (reopened === undefined) throw new KiwiError('token-unknown', { detail: given });
      return reopened;
    },
  };
}
