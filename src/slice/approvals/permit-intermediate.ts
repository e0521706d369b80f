import { KiwiError } from '../../core/errors.ts';
import { OPERATOR_VERBS, type Verb } from '../../protocol/operator-verbs.ts';
import { twoPersonsAreNeeded } from '../decisions/needs-two.ts';
import { openStatement } from '../decisions/open-statement.ts';
import type { Registry } from '../registry/registry.ts';
import { operatorsNow, type OperatorSources } from './operators-now.ts';

/** Who answers for a change of the intermediate, as the audit has it. */
export interface Permit {
  /** `alarm`: two operators were needed, and root went on without them. */
  readonly decision: 'allowed' | 'alarm';
  readonly why: string;
}

const VERB = 'intermediate.permit' satisfies Verb;

/**
 * Whether the slice's intermediate may be exchanged for one with this key. Root on the slice's machine could always do it, so this is
 * against a mistake and against one person alone: where two operators are needed, both have signed for this very key, not longer ago than
 * their statement says. The signatures are verified again, because a row in the registry is no proof.
 *
 * @param sources with the intermediate that is in use still: the operators' certificates are of that one
 * @param without why it is done although nobody has permitted it
 * @throws KiwiError `second-operator-needed`
 */
export async function permitIntermediate(
  sources: OperatorSources & { readonly registry: Pick<Registry, 'listApprovals'> },
  keyDigest: string,
  without?: string,
): Promise<Permit> {
  const { customer, twoPersons } = sources.config;
  const signers = await operatorsNow(sources);
  const admins = signers.filter(({ role }) => role === 'admin').map(({ name }) => name);
  if (!twoPersonsAreNeeded({ setting: twoPersons, admins })) {
    return { decision: 'allowed', why: `no second operator is needed (${twoPersons.when}, ${admins.length} admins)` };
  }
  const trust = { slug: customer.slug, signers };
  const reasons: string[] = [];
  for (const { id, verb, state, statement: jws } of await sources.registry.listApprovals()) {
    if (verb !== VERB || state !== 'approved') continue;
    const opened = openStatement(jws, trust, sources.clock.now());
    if (typeof opened === 'string') {
      reasons.push(`approval ${id}: ${opened}`);
      continue;
    }
    const { statement } = opened;
    const [first, second] = opened.signers;
    const given = OPERATOR_VERBS[VERB].arguments.safeParse(statement.arguments);
    if (statement.id !== id || statement.verb !== VERB || !given.success) continue;
    if (given.data.keyDigest !== keyDigest) reasons.push(`approval ${id}: for the key ${given.data.keyDigest}`);
    else if (first !== undefined && second !== undefined) {
      return { decision: 'allowed', why: `permitted by ${first.name} and ${second.name}, approval ${id}` };
    }
  }
  if (without !== undefined) return { decision: 'alarm', why: `WITHOUT a second operator: ${without}` };
  throw new KiwiError('second-operator-needed', {
    detail: reasons.length > 0 ? reasons.slice(0, 10).join('; ') : `nobody has permitted the key ${keyDigest}`,
    hint: `Two admins permit it: \`kiwistack-operator intermediate permit --key-digest ${keyDigest} --ask-approval\`. Where two cannot sign: --without-approval WHY, which raises an alarm.`,
  });
}
