import { KiwiError } from '../../../core/errors.ts';
import { isVerb, type Arguments, type Verb } from '../../../protocol/operator-verbs.ts';
import { findAnyDevice, findDevice, findDeviceById } from '../find-device.ts';
import {
  findBundle,
  findClaim,
  findClaimToken,
  findOpenAlarm,
  findOpenApproval,
  findOpenConsent,
  findOperator,
  findRecoveryKey,
  findYubikey,
} from '../find-target.ts';
import { requireRoleFor } from '../require-role-for.ts';
import { findFault } from './audit-verbs.ts';
import type { Actor, Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** What is refused of a verb before anything is done. `wish`: its arguments, as its schema has them. */
export type Judge = (
  verb: Verb,
  given: unknown,
  actor: Actor,
) => Promise<{ readonly needsTwo: boolean; readonly wish: unknown }>;

/** What `--dry-run` asks: the refusals of the real run, without it. */
export function rehearsalVerb(parts: OperatorParts, judge: Judge): Handlers<VerbsOf<'verb'>> {
  return {
    async 'verb.rehearse'({ verb, arguments: given }, { actor }) {
      if (!isVerb(verb)) throw new KiwiError('usage', { detail: `no verb ${verb}` });
      const { needsTwo, wish } = await judge(verb, given, actor);
      await (TARGETS[verb] as Target | undefined)?.(parts, wish, actor);
      return { needsTwo };
    },
  };
}

type Target<Given = unknown> = (parts: OperatorParts, given: Given, actor: Actor) => Promise<unknown>;

/** What each verb is about: whether it is there is what its handler looks at first, too. */
const TARGETS: { readonly [V in Verb]?: Target<Arguments<V>> } = {
  'alarm.acknowledge': async ({ registry }, { alarm }, actor) =>
    requireRoleFor(await findOpenAlarm(registry, alarm), actor),
  'approval.refuse': ({ registry }, { approval }) => findOpenApproval(registry, approval),
  'audit.accept': ({ seal }) => findFault(seal),
  'bundle.remove': ({ registry }, { bundle }) => findBundle(registry, bundle),
  'claim.approve': ({ registry, clock }, { claim }) => findClaim(registry, claim, clock.now()),
  'claim.refuse': ({ registry, clock }, { claim }) => findClaim(registry, claim, clock.now()),
  'claim.reopen': ({ registry }, { token }) => findClaimToken(registry, token),
  'consent.give': ({ registry }, { device }) => findDevice(registry, device),
  'consent.withdraw': ({ registry }, { consent }) => findOpenConsent(registry, consent),
  'device.end': ({ registry }, { devices }) => Promise.all(devices.map((id) => findDeviceById(registry, id))),
  'device.lose': ({ registry }, { device }) => findDevice(registry, device),
  'device.release': ({ registry }, { device }) => findDevice(registry, device),
  'device.rename': ({ registry }, { device }) => findDevice(registry, device),
  'operator.remove': ({ registry }, { name }) => findOperator(registry, name),
  'recovery-key.show': async ({ registry }, { device, generation }) =>
    findRecoveryKey(registry, await findAnyDevice(registry, device), generation),
  'yubikey.burn': ({ registry }, { serial }) => findYubikey(registry, serial),
};
