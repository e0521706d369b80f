import { KiwiError } from '../../../core/errors.ts';
import { JoseError, openCompact } from '../../../pki/jws.ts';
import { TYP } from '../../../protocol/common.ts';
import { consent as schema, type Consent } from '../../../protocol/consent.ts';
import { parseMessage } from '../../../protocol/parse.ts';
import { consentTrust } from '../../approvals/consent-trust.ts';
import { describeConsent } from '../../approvals/describe-consent.ts';
import { signConsent } from '../../approvals/sign-consent.ts';
import { readPart } from '../../config/slice-identity.ts';
import { openConsent } from '../../decisions/open-consent.ts';
import { findDevice } from '../find-device.ts';
import { findOpenConsent } from '../find-target.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** As the command line allows. */
const MAX_CONSENT_MS = 8760 * 3_600_000;

export function consentVerbs(parts: OperatorParts): Handlers<VerbsOf<'consent'>> {
  const { paths, config, registry, clock } = parts;
  return {
    async 'consent.list'() {
      const [consents, devices] = await Promise.all([registry.listConsents(), registry.listDevices()]);
      const trust = await consentTrust(parts);
      return consents.map((consent) => describeConsent(consent, devices, trust, clock.now()));
    },
    async 'consent.give'({ device: idOrName, ...wish }, { audited, actor }) {
      // The key in the slice's folder is for whoever may read that folder.
      if (actor.kid !== undefined) throw new KiwiError('usage', { detail: 'sign it with your YubiKey: consent.file' });
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
    async 'consent.file'({ consent: jws }, { audited, actor }) {
      const { consent, kid } = readConsent(jws);
      const device = await findDevice(registry, consent.deviceId);
      const now = clock.now();
      const opened = openConsent(jws, await consentTrust(parts), {
        ...{ deviceId: device.id, fingerprint: device.fingerprintDigest, now },
      });
      const refuse = (detail: string): never => {
        throw new KiwiError('consent-refused', { detail });
      };
      if (typeof opened === 'string') return refuse(opened);
      if (actor.kid !== undefined && actor.kid !== kid)
        refuse('signed with another YubiKey than you are signed in with');
      const { consentId: id, operator, expiresAt, newMainboard, why } = opened;
      if (actor.kid !== undefined && actor.name !== operator) refuse('in the name of somebody else');
      if (Date.parse(expiresAt) > now + MAX_CONSENT_MS) refuse('valid for too long');
      await registry.addConsent(
        { id, deviceId: device.id, createdAt: now, expiresAt: Date.parse(expiresAt), jws },
        audited('device.consent', {
          deviceId: device.id,
          why: `${operator}, until ${expiresAt}${newMainboard ? ', new mainboard' : ''}: ${why}`,
        }),
      );
      await registry.reopenTunnel(device.id, now);
      return opened;
    },
    async 'consent.withdraw'({ consent }, { audited }) {
      const { id: consentId } = await findOpenConsent(registry, consent);
      const entry = audited('device.withdraw', { why: `consent ${consentId}` });
      if (await registry.withdrawConsent(consentId, clock.now(), entry)) return { consentId };
      throw new KiwiError('consent-refused', { detail: `no unused consent ${consent}` });
    },
  };
}

/** Which laptop it is for: nothing of it is verified yet. @throws KiwiError `consent-refused` */
function readConsent(jws: string): { readonly consent: Consent; readonly kid: string | undefined } {
  try {
    const { payload, header } = openCompact(jws, TYP.consent);
    return { consent: parseMessage(schema, payload, 4096, 'consent-refused'), kid: header.kid };
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('consent-refused', { detail: error.message, cause: error });
  }
}
