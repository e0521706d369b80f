import { decideClaim, type ClaimRefusal, type TokenStanding } from './decide-claim.ts';
import {
  findPlace,
  type Arrival,
  type LookAlike,
  type Place,
  type PlaceRefusal,
  type StoredConsent,
} from './find-place.ts';

/** What a laptop says of itself, which a token is compared with. */
interface Claimant {
  readonly host: { readonly serial?: string | undefined; readonly uuid?: string | undefined };
}

/** What a reservation depends on; all of it is read in the transaction that writes the reservation. */
export interface ReservationFacts {
  readonly session: { readonly usedAt: number | null; readonly expiresAt: number } | undefined;
  /** The attempt already has an outcome. */
  readonly attempted: boolean;
  /** Of a laptop for which a YubiKey vouches. */
  readonly yubikey: { readonly burnedAt: number | null } | undefined;
  /** Of a claim. */
  readonly token: TokenStanding | undefined;
  /** Since when a claim of this session waits for an operator, or waited. */
  readonly claimedAt: number | undefined;
  readonly live: readonly LookAlike[];
  readonly consents: readonly StoredConsent[];
  readonly liveDevices: number;
}

/** Why a reservation was refused, in the order of the checks. */
export type ReservationRefusal =
  | { readonly refused: 'session-used' | 'session-expired' | 'session-unknown' | 'attempt-conflict' }
  | { readonly refused: 'yubikey-unregistered' | 'yubikey-burned' }
  | ClaimRefusal
  | { readonly refused: 'claim-refused'; readonly why: string }
  | PlaceRefusal
  | { readonly refused: 'quota-exceeded'; readonly why: string };

export const NO_FREE_ADDRESS: ReservationRefusal = {
  refused: 'quota-exceeded',
  why: 'the tunnel network has no free address',
};

/**
 * Whether a laptop gets a place, and which device it supersedes. Everything that concurrent requests can change is
 * checked again here, so that only one of two statements for the same session, key, fingerprint or name succeeds.
 */
export function decideReservation(
  arrival: Arrival & Claimant & { readonly quota: number },
  facts: ReservationFacts,
): Place | ReservationRefusal {
  const { session, liveDevices } = facts;
  if (session === undefined) return { refused: 'session-unknown' };
  if (session.usedAt !== null) return { refused: 'session-used' };
  if (session.expiresAt <= arrival.now) return { refused: 'session-expired' };
  if (facts.attempted) return { refused: 'attempt-conflict' };
  const unvouched = voucherRefusal(arrival, facts);
  if (unvouched !== undefined) return unvouched;
  const place = findPlace(arrival, facts.live, facts.consents);
  if ('refused' in place) return place;
  // The superseded device makes room for the new one.
  if (liveDevices - (place.supersedes === undefined ? 0 : 1) >= arrival.quota) {
    return { refused: 'quota-exceeded', why: `${liveDevices} devices of ${arrival.quota}` };
  }
  return place;
}

/** What vouches for the laptop may have been burned, revoked or used since its message was read. */
function voucherRefusal(
  { tokenId, host, now }: Arrival & Claimant,
  { yubikey, token, claimedAt }: ReservationFacts,
): ReservationRefusal | undefined {
  if (tokenId === null) {
    if (yubikey === undefined) return { refused: 'yubikey-unregistered' };
    return yubikey.burnedAt === null ? undefined : { refused: 'yubikey-burned' };
  }
  if (token === undefined) return { refused: 'claim-refused', why: 'no such token' };
  return decideClaim(token, host, claimedAt ?? now);
}
