import { digest } from '../../../core/bytes.ts';
import { KiwiError } from '../../../core/errors.ts';
import { parseStrictJson } from '../../../core/strict-json.ts';
import { MAX_STATEMENT } from '../../../protocol/operator-statement.ts';
import { isVerb, OPERATOR_VERBS, type OperatorVerb, type Verb } from '../../../protocol/operator-verbs.ts';
import { openStatement, type OpenedStatement } from '../../decisions/open-statement.ts';
import type { Approval } from '../../registry/registry.ts';
import { byId } from '../by-id.ts';
import { findOpenApproval } from '../find-target.ts';
import { operatorsNow } from '../../approvals/operators-now.ts';
import type { Actor, Asked, Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** Carries out what two operators have signed, without asking for a second one again. */
export type CarryOut = (verb: Verb, given: unknown, asked: Pick<Asked, 'actor' | 'audited'>) => Promise<unknown>;

/** What one operator has signed, and another one has to. */
export function approvalVerbs(parts: OperatorParts, carryOut: CarryOut): Handlers<VerbsOf<'approval'>> {
  const { config, registry, clock } = parts;
  const open = async (jws: string): Promise<OpenedStatement & { readonly verb: Verb }> => {
    const trust = { slug: config.customer.slug, signers: await operatorsNow(parts) };
    const opened = openStatement(jws, trust, clock.now());
    if (typeof opened === 'string') return refuse(opened);
    const { verb } = opened.statement;
    if (!isVerb(verb) || !OPERATOR_VERBS[verb].critical) return refuse(`${verb} needs no second operator`);
    return { ...opened, verb };
  };
  const shown = (approval: Approval) => ({
    ...approval,
    state: approval.state === 'open' && approval.expiresAt <= clock.now() ? ('expired' as const) : approval.state,
  });
  return {
    'approval.list': async () => (await registry.listApprovals()).map(shown),
    async 'approval.find'({ approval }) {
      const found = byId(await registry.listApprovals(), approval);
      if (found === undefined) throw new KiwiError('approval-unknown', { detail: approval });
      return shown(found);
    },
    async 'approval.ask'({ statement: jws }, { actor, audited }) {
      const { statement, signers, verb } = await open(jws);
      const [by] = signers;
      if (by === undefined || signers.length > 1) return refuse('one signature is wanted');
      requireSelf(actor, by.kid);
      const row: OperatorVerb = OPERATOR_VERBS[verb];
      if (!row.arguments.safeParse(statement.arguments).success) refuse(`not the arguments of ${verb}`);
      const { id, operator: askedBy, expiresAt } = statement;
      const approval = { id, verb, askedBy, createdAt: clock.now(), expiresAt: Date.parse(expiresAt), statement: jws };
      const entry = audited('approval.ask', { why: `${verb}, until ${expiresAt}: ${evidence(jws)}` });
      if (!(await registry.addApproval(approval, entry))) refuse('a statement with this id was there before');
      return { ...approval, state: 'open', decidedBy: null, decidedAt: null };
    },
    async 'approval.approve'({ approval: id, signature }, { actor, audited }) {
      const asked = await findOpenApproval(registry, id);
      const jws = withSecond(asked.statement, signature);
      const { statement, signers, verb } = await open(jws);
      const [first, second] = signers;
      if (first === undefined || second === undefined) return refuse('two signatures are wanted');
      requireSelf(actor, second.kid);
      if (statement.id !== id) refuse('for another statement');
      const decided = { id, statement: jws, state: 'approved', decidedBy: second.name } as const;
      // Recorded before it is carried out: it is done at most once, whatever happens meanwhile.
      const entry = audited('approval.approve', { why: `${verb}: ${evidence(jws)}` });
      if (!(await registry.decideApproval(decided, clock.now(), entry))) {
        throw new KiwiError('approval-unknown', { detail: id });
      }
      const both: Actor = { name: `${first.name} and ${second.name}`, role: 'admin' };
      const result = await carryOut(verb, statement.arguments, {
        actor: both,
        audited: (action, more) => ({ ...audited(action, more), actor: both.name }),
      });
      return { verb, result: parseStrictJson(JSON.stringify(result), OPERATOR_VERBS[verb].maxResult) as never };
    },
    async 'approval.refuse'({ approval: id, why }, { actor, audited }) {
      const { statement, verb } = await findOpenApproval(registry, id);
      const decided = { id, statement, state: 'refused', decidedBy: actor.name } as const;
      const entry = audited('approval.refuse', { why: `${verb}, ${id}: ${why}` });
      if (!(await registry.decideApproval(decided, clock.now(), entry))) {
        throw new KiwiError('approval-unknown', { detail: id });
      }
      return {};
    },
  };
}

/** Over the network, everybody signs for themselves. In the slice's folder there is nobody but the signature. */
function requireSelf(actor: Actor, kid: string): void {
  if (actor.kid !== undefined && actor.kid !== kid) refuse('signed with another YubiKey than you are signed in with');
}

/** The stored statement with another signature over its payload, whatever was signed: then it does not verify. */
function withSecond(jws: string, signature: { readonly protected: string; readonly signature: string }): string {
  const { payload, signatures } = parseStrictJson(jws, MAX_STATEMENT) as { payload: string; signatures: object[] };
  return JSON.stringify({ payload, signatures: [...signatures.slice(0, 1), signature] });
}

/** A record of the audit is of a limited length. */
const MAX_EVIDENCE = 12 * 1024;

/** The statement with its signatures; of a very long one the hash of its payload: the registry has all of it. */
function evidence(jws: string): string {
  if (jws.length <= MAX_EVIDENCE) return jws;
  const { payload, signatures } = parseStrictJson(jws, MAX_STATEMENT) as { payload: string; signatures: object[] };
  return JSON.stringify({ payloadSha256: digest(Buffer.from(payload, 'base64url')), signatures });
}

function refuse(detail: string): never {
  throw new KiwiError('approval-refused', { detail });
}
