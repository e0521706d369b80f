import { base64url } from '../../../core/bytes.ts';
import { SETTINGS } from '../../audit/settings-watch.ts';
import { readSliceConfig, writeSliceConfig } from '../../config/slice-config.ts';
import { twoPersonsAreNeeded } from '../../decisions/needs-two.ts';
import { settingsInWords } from '../../decisions/settings-in-words.ts';
import { twoPersonFacts } from '../two-person-facts.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

export function sliceVerbs(parts: OperatorParts): Handlers<VerbsOf<'slice'>> {
  const { paths, config, identity, registry, ca, clock } = parts;
  return {
    'slice.about': async (_given, { actor }) => {
      const facts = await twoPersonFacts(parts);
      return {
        customer: config.customer,
        gatewayUrl: config.gateway.url,
        firmware: config.firmware,
        operator: { name: actor.name, role: actor.role },
        twoPersons: twoPersonsAreNeeded(facts),
        twoPersonSetting: facts.setting,
        intermediate: base64url(identity.intermediate.der),
        root: base64url(identity.mspRoot.der),
        yubicoRoots: identity.yubicoRoots.map(({ der }) => base64url(der)),
      };
    },
    'slice.issues': async () => ({ ready: await ca.healthy() }),
    async 'slice.protect'(wish, { audited }) {
      const why = `${wish.when}, more than ${wish.manyDevices} laptops`;
      const changed = { ...(await readSliceConfig(paths.dir)), twoPersons: wish };
      await registry.audit(audited('slice.protect', { why }), clock.now());
      await registry.audit(audited(SETTINGS, { why: settingsInWords(changed) }), clock.now());
      await writeSliceConfig(paths.dir, changed);
      return {};
    },
  };
}
