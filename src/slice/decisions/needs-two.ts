import type { Arguments, Verb } from '../../protocol/operator-verbs.ts';
import type { SliceConfig } from '../config/slice-config.ts';

/** What decides whether one operator is enough, as the slice is now. */
export interface TwoPersonFacts {
  readonly setting: SliceConfig['twoPersons'];
  /** Operators with keys of their own who are admins. */
  readonly admins: readonly string[];
  /** Serial numbers of the YubiKeys that enroll laptops. */
  readonly liveYubikeys: readonly number[];
  /** Laptops that operators have ended in the last day: many in small portions are many. */
  readonly endedLately: number;
}

/** Whether the two-person rule is in force. */
export const twoPersonsAreNeeded = ({ setting, admins }: Pick<TwoPersonFacts, 'setting' | 'admins'>): boolean =>
  setting.when === 'always' || (setting.when === 'two-admins' && admins.length >= 2);

/**
 * Whether what is asked needs a second operator's signature now. Where there are not two admins yet, one can make the second: otherwise
 * `always` would be for ever.
 */
export function needsTwo<V extends Verb>(verb: V, given: Arguments<V>, facts: TwoPersonFacts): boolean {
  if (!twoPersonsAreNeeded(facts)) return false;
  const critical = CRITICAL[verb] as ((given: Arguments<V>, facts: TwoPersonFacts) => boolean) | undefined;
  return critical?.(given, facts) ?? false;
}

/**
 * Whether this would leave a slice on which nobody can do what needs two: `always`, with fewer than two admins. Undoing it would need two
 * as well, so it is refused to everybody.
 */
export function locksOut<V extends Verb>(
  verb: V,
  given: Arguments<V>,
  facts: Pick<TwoPersonFacts, 'setting' | 'admins'>,
): boolean {
  const locks = LOCKS_OUT[verb] as ((given: Arguments<V>, now: typeof facts) => boolean) | undefined;
  return locks?.(given, facts) ?? false;
}

const LOCKS_OUT: {
  readonly [V in Verb]?: (given: Arguments<V>, facts: Pick<TwoPersonFacts, 'setting' | 'admins'>) => boolean;
} = {
  'slice.protect': ({ when }, { admins }) => when === 'always' && admins.length < 2,
  'operator.remove': ({ name }, { setting, admins }) =>
    setting.when === 'always' && admins.length <= 2 && admins.includes(name),
};

const areMany = (more: number, { setting, endedLately }: TwoPersonFacts): boolean =>
  endedLately + more > setting.manyDevices;

/** When a verb is critical; without a row it never is. A test holds the rows against the table of verbs. */
const CRITICAL: { readonly [V in Verb]?: (given: Arguments<V>, facts: TwoPersonFacts) => boolean } = {
  'device.end': ({ devices }, facts) => areMany(devices.length, facts),
  'device.lose': ({ action }, facts) => action === 'wipe' || areMany(1, facts),
  'yubikey.burn': ({ serial }, { liveYubikeys }) => liveYubikeys.length === 1 && liveYubikeys.includes(serial),
  'operator.add': ({ role }, { admins }) => role === 'admin' && admins.length >= 2,
  'operator.remove': ({ name }, { admins }) => admins.includes(name),
  'slice.protect': () => true,
  'intermediate.permit': () => true,
  'audit.accept': () => true,
  // Whoever has it and the laptop reads all that its owner wrote.
  'recovery-key.show': () => true,
};

export const CRITICAL_VERBS: readonly string[] = Object.keys(CRITICAL);
