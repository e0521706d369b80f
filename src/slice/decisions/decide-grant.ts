import type { DeviceState } from './device-state.ts';

/** What decides whether a device may go a step further. */
export interface Standing {
  readonly state: DeviceState;
  /** Its YubiKey was reported lost, before or after it ended. */
  readonly burned: boolean;
  readonly supersedes: string | null;
  /** An operator consented to it. */
  readonly consented: boolean;
  /** Null before the grant. */
  readonly confirmBy: number | null;
}

/** What happened between a reservation and its grant. */
export type GrantRefusal =
  | { readonly refused: 'yubikey-burned' }
  | { readonly refused: 'fingerprint-known'; readonly with: string; readonly why: string };

/**
 * Whether a reservation may become a grant. Without consent a laptop takes the place of an enrollment of its own only as long as that
 * one is not confirmed, which it may have been since the reservation.
 *
 * @param superseded the device whose place it takes, if there is one
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
