import type { DeviceState } from './device-state.ts';

/** The facts that decide whether a device may move to its next state. */
export interface Standing {
  readonly state: DeviceState;
  /** Its YubiKey was reported lost, before or after the device ended. */
  readonly burned: boolean;
  readonly supersedes: string | null;
  /** An operator consented to it. */
  readonly consented: boolean;
  /** Null before the grant. */
  readonly confirmBy: number | null;
}

/** Why a reservation can no longer become a grant. */
export type GrantRefusal =
  | { readonly refused: 'yubikey-burned' }
  | { readonly refused: 'fingerprint-known'; readonly with: string; readonly why: string };

/**
 * Whether a reservation may become a grant. Without consent, a laptop may supersede an earlier enrollment of its own
 * only while that one is unconfirmed, and it may have been confirmed since the reservation.
 *
 * @param superseded the device that it supersedes, if there is one
 */
export function decideGrant(
  device: Standing | undefined,
  superseded: Pick<Standing, 'state'> | undefined,
): 'granted' | GrantRefusal {
  if (device?.burned === true) return { refused: 'yubikey-burned' };
  if (device?.state !== 'reserved') throw new TypeError('a grant is stored for a reservation');
  if (device.supersedes !== null && !device.consented && superseded?.state === 'active') {
    return { refused: 'fingerprint-known', with: device.supersedes, why: 'confirmed meanwhile, without consent' };
  }
  return 'granted';
}
