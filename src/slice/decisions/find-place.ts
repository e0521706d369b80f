import { digest } from '../../core/bytes.ts';
import type { Consent } from '../../protocol/consent.ts';
import { fingerprintDigestInput, type Fingerprint } from '../../protocol/fingerprint.ts';
import type { DeviceState } from './device-state.ts';
import { matchFingerprints } from './match-fingerprints.ts';
import { openConsent, type ConsentTrust } from './open-consent.ts';

/** What vouches for a laptop: a person's YubiKey, or the token that its maker put on it. Exactly one of them. */
export interface Voucher {
  readonly yubikeySerial: number | null;
  readonly tokenId: string | null;
}

/** A laptop that asks to be enrolled. */
export interface Arrival extends Voucher {
  readonly fingerprint: Fingerprint;
  /** The device that the laptop wants to supersede, and the consent to that, if the statement names them. */
  readonly priorDeviceId?: string;
  readonly consentId?: string;
  /** Which operators' consents count. */
  readonly consentTrust: ConsentTrust;
  readonly now: number;
}

/**
 * A device with a place (a live one, or a lost one) that shares an identity component, the device key or the tunnel key
 * with the laptop that asks.
 */
export interface LookAlike extends Voucher {
  readonly id: string;
  /** `ended` for a lost one. */
  readonly state: DeviceState;
  /** It has the same device key or tunnel key as the laptop. */
  readonly sharesKey: boolean;
  readonly components: Fingerprint['components'];
}

/** A consent as stored in the registry; only what the operator signed counts. */
export interface StoredConsent {
  readonly id: string;
  readonly deviceId: string;
  readonly usedAt: number | null;
  readonly jws: string;
}

export interface Place {
  /** The device that the new one supersedes. */
  readonly supersedes?: string;
  /** The consent that this uses up. */
  readonly consentId?: string;
}

/** Why there is no place for the laptop; `with` is the id of the other device. */
export type PlaceRefusal =
  | { readonly refused: 'fingerprint-known' | 'fingerprint-clone'; readonly with: string; readonly why: string }
  | { readonly refused: 'consent-refused'; readonly why: string };

/**
 * Decides whether the laptop is new. A laptop that shares its identity or its keys with a different one is refused, and
 * so is a laptop that enrolls again without consent, also after it was lost. One exception needs no operator: the same laptop with the same
 * YubiKey or token whose last enrollment was never confirmed. It lost its grant (crash, reinstall), and nobody else could have
 * sent this statement.
 *
 * @param consents the one that the statement names; if it names none, the unused ones for the devices in `live`, oldest
 *   first
 */
export function findPlace(
  arrival: Arrival,
  live: readonly LookAlike[],
  consents: readonly StoredConsent[],
): Place | PlaceRefusal {
  let same: (LookAlike & { onNewMainboard: boolean }) | undefined;
  let stranger: { candidate: LookAlike; why: string } | undefined;
  for (const candidate of live) {
    const match = matchFingerprints(candidate.components, arrival.fingerprint.components);
    const clone =
      match === 'clone'
        ? 'equal UUID or serial numbers, other components differ'
        : 'another laptop with the same device key';
    const isClone = match === 'clone' || (match === 'different' && candidate.sharesKey);
    if (match === 'same' || (isClone && typeof findConsent(arrival, candidate, consents, true) === 'object')) {
      if (same !== undefined) {
        return { refused: 'fingerprint-clone', with: candidate.id, why: `matches ${same.id} as well` };
      }
      same = { ...candidate, onNewMainboard: isClone };
    } else if (isClone) stranger ??= { candidate, why: clone };
  }
  if (stranger !== undefined) {
    return { refused: 'fingerprint-clone', with: stranger.candidate.id, why: stranger.why };
  }
  const named = arrival.consentId !== undefined || arrival.priorDeviceId !== undefined;
  if (same === undefined) {
    return named ? { refused: 'consent-refused', why: 'no registered laptop is this one' } : {};
  }
  if (arrival.priorDeviceId !== undefined && arrival.priorDeviceId !== same.id) {
    return { refused: 'consent-refused', why: `the laptop is ${same.id}` };
  }
  const consent = findConsent(arrival, same, consents, same.onNewMainboard);
  if (typeof consent === 'string') return { refused: 'consent-refused', why: consent };
  if (consent !== undefined) return { supersedes: same.id, consentId: consent.consentId };
  if (same.state === 'pending' && isSameVoucher(same, arrival)) return { supersedes: same.id };
  const state = same.state === 'ended' ? 'lost' : same.state;
  return { refused: 'fingerprint-known', with: same.id, why: `${state}, without consent` };
}

const isSameVoucher = (one: Voucher, other: Voucher): boolean =>
  one.yubikeySerial === other.yubikeySerial && one.tokenId === other.tokenId;

/**
 * The consent that may be used for a device: the one that the statement names, or an unused one for the device. Its
 * signature is checked here, at the moment of use.
 *
 * @param onNewMainboard the laptop looks like a clone but is the same one on new hardware: the consent must say so
 *   explicitly
 * @returns the reason, when there are consents but none is valid; undefined when there is none
 */
function findConsent(
  { consentId, consentTrust, now }: Arrival,
  { id: deviceId, components }: LookAlike,
  consents: readonly StoredConsent[],
  onNewMainboard: boolean,
): Consent | string | undefined {
  // Computed from the components, as the match is; the stored digest is not relied on.
  const fingerprint = digest(fingerprintDigestInput(components));
  // For a named consent, the device is the one in the signed text.
  const offered = consentId === undefined ? consents.filter((consent) => consent.deviceId === deviceId) : consents;
  let flaw = consentId === undefined ? undefined : 'no such consent';
  for (const { id, usedAt, jws } of offered) {
    const consent = openConsent(jws, consentTrust, { deviceId, fingerprint, now });
    if (usedAt !== null) flaw = 'used already';
    else if (typeof consent === 'string') flaw = consent;
    else if (consent.consentId !== id) flaw = 'not the one that was signed';
    else if (onNewMainboard && !consent.newMainboard) flaw = 'for the same hardware';
    else return consent;
  }
  return flaw;
}
