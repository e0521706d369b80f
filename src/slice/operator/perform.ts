import { randomUUID } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import {
  OPERATOR_VERBS,
  type Arguments,
  type OperatorVerb,
  type Result,
  type Verb,
} from '../../protocol/operator-verbs.ts';
import { locksOut, needsTwo } from '../decisions/needs-two.ts';
import { mayAsk } from '../decisions/may-ask.ts';
import { twoPersonFacts } from './two-person-facts.ts';
import { approvalVerbs, type CarryOut } from './verbs/approval-verbs.ts';
import { alarmVerbs, auditVerbs } from './verbs/audit-verbs.ts';
import { bundleVerbs } from './verbs/bundle-verbs.ts';
import { claimVerbs } from './verbs/claim-verbs.ts';
import { consentVerbs } from './verbs/consent-verbs.ts';
import { deviceVerbs } from './verbs/device-verbs.ts';
import type { Actor, Asked, Handlers, OperatorParts } from './verbs/handlers.ts';
import { intermediateVerbs } from './verbs/intermediate-verbs.ts';
import { operatorVerbs } from './verbs/operator-verbs.ts';
import { recoveryKeyVerbs } from './verbs/recovery-key-verbs.ts';
import { rehearsalVerb } from './verbs/rehearsal-verb.ts';
import { sessionVerbs } from './verbs/session-verbs.ts';
import { sliceVerbs } from './verbs/slice-verbs.ts';
import { yubikeyVerbs } from './verbs/yubikey-verbs.ts';

/**
 * Carries out what an operator asks.
 * @throws KiwiError `operator-role`, `second-operator-needed`, `second-admin-missing`, `usage` for arguments that the verb's schema does not allow; and what the verb throws
 */
export type Perform = <V extends Verb>(verb: V, given: unknown, actor: Actor, requestId?: string) => Promise<Result<V>>;

export function performOn(parts: OperatorParts): Perform {
  // What is critical is done one after the other: of ten that are asked for at once, each would be judged as if it were the only one.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
  /** Refuses what this operator may not ask, or nobody. @returns whether a second operator has to sign it */
  const judge = async (verb: Verb, given: unknown, actor: Actor): Promise<boolean> => {
    const row: OperatorVerb = OPERATOR_VERBS[verb];
    if (!mayAsk(actor.role, row.role)) {
      throw new KiwiError('operator-role', { detail: `${verb} needs ${row.role}; ${actor.name} is ${actor.role}` });
    }
    if (!row.critical) return false;
    const [wish, facts] = [parse(verb, given), await twoPersonFacts(parts)];
    if (locksOut(verb, wish, facts)) {
      const { admins } = facts;
      throw new KiwiError('second-admin-missing', { detail: `${verb}; admins now: ${admins.join(', ') || 'none'}` });
    }
    return needsTwo(verb, wish, facts);
  };
  const carryOut: CarryOut = async (verb, given, asked) => {
    const row: OperatorVerb = OPERATOR_VERBS[verb];
    return row.result.parse(await (handlers[verb] as Handler)(parse(verb, given), asked));
  };
  const handlers: Handlers<Verb> = {
    ...sliceVerbs(parts),
    ...intermediateVerbs(parts),
    ...rehearsalVerb(parts, async (verb, given, actor) => ({
      ...{ needsTwo: await judge(verb, given, actor), wish: parse(verb, given) },
    })),
    ...approvalVerbs(parts, (verb, given, asked) =>
      inTurn(async () => {
        // Who is an admin may have changed since it was asked for.
        await judge(verb, given, asked.actor);
        return carryOut(verb, given, asked);
      }),
    ),
    ...deviceVerbs(parts),
    ...consentVerbs(parts),
    ...claimVerbs(parts),
    ...sessionVerbs(parts),
    ...yubikeyVerbs(parts),
    ...operatorVerbs(parts),
    ...auditVerbs(parts),
    ...alarmVerbs(parts),
    ...bundleVerbs(parts),
    ...recoveryKeyVerbs(parts),
  };
  return async <V extends Verb>(verb: V, given: unknown, actor: Actor, requestId: string = randomUUID()) => {
    const audited: Asked['audited'] = (action, more = {}) => ({
      ...{ requestId, actor: actor.name, action, decision: 'allowed' },
      ...more,
    });
    const act = async (): Promise<Result<V>> => {
      if (await judge(verb, given, actor)) throw new KiwiError('second-operator-needed', { detail: verb });
      return (await carryOut(verb, given, { actor, audited })) as Result<V>;
    };
    return OPERATOR_VERBS[verb].critical ? inTurn(act) : act();
  };
}

type Handler = (given: unknown, asked: Asked) => Promise<unknown>;

/** @throws KiwiError `usage` */
function parse<V extends Verb>(verb: V, given: unknown): Arguments<V> {
  const row: OperatorVerb = OPERATOR_VERBS[verb];
  const parsed = row.arguments.safeParse(given);
  if (parsed.success) return parsed.data as Arguments<V>;
  const [issue] = parsed.error.issues;
  throw new KiwiError('usage', { detail: `${verb}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` });
}
