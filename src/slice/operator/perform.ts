import { randomUUID } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import {
  OPERATOR_VERBS,
  type Arguments,
  type OperatorVerb,
  type Result,
  type Verb,
} from '../../protocol/operator-verbs.ts';
import { alarmVerbs, auditVerbs } from './verbs/audit-verbs.ts';
import { bundleVerbs } from './verbs/bundle-verbs.ts';
import { consentVerbs } from './verbs/consent-verbs.ts';
import { deviceVerbs } from './verbs/device-verbs.ts';
import type { Handlers, OperatorParts } from './verbs/handlers.ts';
import { sessionVerbs } from './verbs/session-verbs.ts';
import { sliceVerbs } from './verbs/slice-verbs.ts';
import { yubikeyVerbs } from './verbs/yubikey-verbs.ts';

/** Carries out what an operator asks. */
export type Perform = <V extends Verb>(verb: V, given: unknown) => Promise<Result<V>>;

export function performOn(parts: OperatorParts): Perform {
  const handlers: Handlers<Verb> = {
    ...sliceVerbs(parts),
    ...deviceVerbs(parts),
    ...consentVerbs(parts),
    ...sessionVerbs(parts),
    ...yubikeyVerbs(parts),
    ...auditVerbs(parts),
    ...alarmVerbs(parts),
    ...bundleVerbs(parts),
  };
  return async <V extends Verb>(verb: V, given: unknown) => {
    const row: OperatorVerb = OPERATOR_VERBS[verb];
    const parsed = row.arguments.safeParse(given);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new KiwiError('usage', { detail: `${verb}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` });
    }
    const result = await handlers[verb](parsed.data as Arguments<V>, {
      audited: (action, more = {}) => ({
        ...{ requestId: randomUUID(), actor: 'operator', action, decision: 'allowed' },
        ...more,
      }),
    });
    return row.result.parse(result) as Result<V>;
  };
}
