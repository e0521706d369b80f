import { KiwiError } from '../../../core/errors.ts';
import { describeConsent } from '../../approvals/describe-consent.ts';
import { signConsent } from '../../approvals/sign-consent.ts';
import { readPart } from '../../config/slice-identity.ts';
import { byId } from '../by-id.ts';
import { findDevice } from '../find-device.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

export function consentVerbs({ paths, config, registry, clock }: OperatorParts): Handlers<VerbsOf<'consent'>> {
  return {
    async 'consent.list'() {
      const [consents, devices] = await Promise.all([registry.listConsents(), registry.listDevices()]);
      const trust = { slug: config.customer.slug, operators: config.operators };
      return consents.map((consent) => describeConsent(consent, devices, trust, clock.now()));
    },
    async 'consent.give'({ device: idOrName, ...wish }, { audited }) {
      const device = await findDevice(registry, idOrName);
      const key = await readPart(paths.operator.consentKey, true);
      const now = clock.now();
      const { consent, jws } = await signConsent(config, key, device, wish, now);
      const { consentId: id, operator, expiresAt } = consent;
      const why = `${operator}, until ${expiresAt}${wish.newMainboard ? ', new mainboard' : ''}: ${wish.why}`;
      await registry.addConsent(
        { id, deviceId: device.id, createdAt: now, expiresAt: Date.parse(expiresAt), jws },
        audited('device.consent', { deviceId: device.id, why }),
      );
      // It is here again: Fleet can unlock it.
      await registry.reopenTunnel(device.id, now);
      return consent;
    },
    async 'consent.withdraw'({ consent }, { audited }) {
      const consentId = byId(await registry.listConsents(), consent)?.id;
      if (consentId !== undefined) {
        const entry = audited('device.withdraw', { why: `consent ${consentId}` });
        if (await registry.withdrawConsent(consentId, clock.now(), entry)) return { consentId };
      }
      throw new KiwiError('consent-refused', { detail: `no unused consent ${consent}` });
    },
  };
}
