import { KiwiError } from '../../core/errors.ts';
import { signStatement, type OperatorKey } from '../../operator-client/sign-statement.ts';
import { OPERATOR_VERBS, type Arguments, type OperatorSlice, type Verb } from '../../protocol/operator-verbs.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { signedInAs, withOperatorKey, type KeyFlags } from './operator-yubikey.ts';

export interface GuardFlags extends KeyFlags {
  readonly dryRun?: boolean;
  readonly askApproval?: boolean;
  readonly approvalHours?: number;
}

const APPROVAL_HOURS = 4;
const LONGEST = 300;

/**
 * A slice for one command. With `--dry-run` it changes nothing: what would be asked, or be refused, ends the command. With `--ask-approval`, what needs a
 * second operator is signed and left for one.
 */
export function guardedSlice(slice: OperatorSlice, flags: GuardFlags): OperatorSlice {
  return {
    close: () => slice.close(),
    async ask(verb, ...given) {
      if (flags.dryRun === true && OPERATOR_VERBS[verb].changes) throw await rehearse(slice, verb, given[0] ?? {});
      try {
        return await slice.ask(verb, ...given);
      } catch (error) {
        const needed = error instanceof KiwiError && error.code === 'second-operator-needed';
        if (!needed || flags.askApproval !== true) throw error;
        throw await askForApproval(slice, verb, (given[0] ?? {}) as Arguments<typeof verb>, flags);
      }
    },
  };
}

/** @returns how the command ends @throws KiwiError what the slice would refuse before it does anything */
async function rehearse(slice: OperatorSlice, verb: Verb, given: unknown): Promise<KiwiError> {
  const text = JSON.stringify(given);
  const asked = OPERATOR_VERBS['verb.rehearse'].arguments.parse({ verb, arguments: JSON.parse(text) as unknown });
  const { needsTwo } = await slice.ask('verb.rehearse', asked);
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return new KiwiError('rehearsed', {
    detail: `${verb} ${shown}${needsTwo ? ', which a second operator has to sign' : ''}`,
  });
}

/** @returns how the command ends */
async function askForApproval<V extends Verb>(
  slice: OperatorSlice,
  verb: V,
  given: Arguments<V>,
  flags: GuardFlags,
): Promise<KiwiError> {
  const self = await signedInAs(slice);
  const wish = { slug: self.slug, verb, given, hours: flags.approvalHours ?? APPROVAL_HOURS };
  const sign = (key: OperatorKey) => signStatement(wish, key, Date.now());
  const statement = await withOperatorKey(flags, cancelOnSignals(), sign, self);
  const { id, expiresAt } = await slice.ask('approval.ask', { statement });
  return new KiwiError('approval-asked', {
    detail: `approval ${id}, until ${new Date(expiresAt).toISOString()}`,
    hint: `Another admin reads and signs it: \`kiwistack-operator approval approve ${id}\`.`,
  });
}
