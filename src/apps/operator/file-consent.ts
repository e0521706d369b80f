import { randomUUID } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import type { OperatorKey } from '../../operator-client/sign-statement.ts';
import { signCompact } from '../../pki/jws.ts';
import { PROTOCOL, TYP } from '../../protocol/common.ts';
import { consent as schema, type Consent } from '../../protocol/consent.ts';
import type { Arguments, OperatorSlice } from '../../protocol/operator-verbs.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { signedInAs, withOperatorKey, type KeyFlags } from './operator-yubikey.ts';

/** Consents to a re-enrollment with the operator's YubiKey. @throws KiwiError `device-unknown`, `usage`, those of the token */
export async function fileConsent(
  slice: OperatorSlice,
  wish: Arguments<'consent.give'>,
  flags: KeyFlags & { readonly dryRun?: boolean },
): Promise<Consent> {
  const { device: name, hours, why, newMainboard } = wish;
  const [self, device] = [await signedInAs(slice), await slice.ask('device.find', { device: name })];
  if (flags.dryRun === true) {
    await slice.ask('verb.rehearse', { verb: 'consent.give', arguments: wish });
    throw new KiwiError('rehearsed', { detail: `consent to ${device.hostName} for ${hours} h` });
  }
  const now = Date.now();
  const sign = ({ name: operator, kid, signer }: OperatorKey) => {
    const parsed = schema.safeParse({
      ...{ protocol: PROTOCOL, slug: self.slug, consentId: randomUUID(), deviceId: device.id },
      ...{ fingerprint: device.fingerprintDigest, newMainboard, operator, why },
      issuedAt: new Date(now).toISOString(),
      expiresAt: new Date(now + hours * 3_600_000).toISOString(),
    } satisfies Consent);
    if (!parsed.success) throw new KiwiError('usage', { detail: '--why: up to 200 characters, on one line' });
    return signCompact({ typ: TYP.consent, kid, signer, payload: JSON.stringify(parsed.data) });
  };
  const jws = await withOperatorKey(flags, cancelOnSignals(), sign, self);
  return slice.ask('consent.file', { consent: jws });
}
