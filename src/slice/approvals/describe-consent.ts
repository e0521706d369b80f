import type { Consent as SignedConsent } from '../../protocol/consent.ts';
import { openConsent, type ConsentTrust } from '../decisions/open-consent.ts';
import type { Consent, Device } from '../registry/registry.ts';

/** A consent as an operator sees it. */
export interface ConsentListing {
  readonly id: string;
  readonly deviceId: string;
  readonly hostName: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly state: 'open' | 'used' | 'expired' | 'worthless';
  /** From the signed text. For a worthless consent, `why` says what is wrong with it. */
  readonly operator: string;
  readonly why: string;
  readonly newMainboard: boolean;
}

export function describeConsent(
  { id, deviceId, createdAt, expiresAt, usedAt, jws }: Consent,
  devices: readonly Device[],
  trust: ConsentTrust,
  now: number,
): ConsentListing {
  const device = devices.find((entry) => entry.id === deviceId);
  const fingerprint = device?.fingerprintDigest ?? '';
  // Judged as of its creation: expiry is reported separately.
  const signed = openConsent(jws, trust, { deviceId, fingerprint, now: createdAt });
  const listing = { id, deviceId, hostName: device?.hostName ?? '', createdAt, expiresAt };
  if (typeof signed === 'string') {
    return { ...listing, state: 'worthless', operator: '', why: signed, newMainboard: false };
  }
  return {
    ...listing,
    ...stateOf(signed, usedAt, now),
    operator: signed.operator,
    why: signed.why,
    newMainboard: signed.newMainboard,
  };
}

function stateOf(
  signed: SignedConsent,
  usedAt: number | null,
  now: number,
): Pick<ConsentListing, 'state' | 'expiresAt'> {
  const expiresAt = Date.parse(signed.expiresAt);
  return { expiresAt, state: usedAt !== null ? 'used' : expiresAt <= now ? 'expired' : 'open' };
}
