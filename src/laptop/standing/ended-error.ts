import { KiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';

const LOST =
  'Your organisation has reported this laptop lost: its certificates are revoked, and its tunnel reaches nothing inside. If it is yours, ask your operator to consent to its re-enrollment; then run `kiwistack-enroll uninstall`, and `kiwistack-enroll enroll` with your YubiKey. If you have found it, give it back.';

/** What it means for whoever sits at the laptop that the slice has ended it: why, and whom to ask. */
export function endedError({ endReason }: Pick<DeviceStatus, 'endReason'>): KiwiError {
  return new KiwiError('device-ended', {
    detail: endReason ?? 'the slice does not know this laptop',
    ...(endReason === 'lost' ? { hint: LOST } : {}),
  });
}

/** Whether the slice has said that it has ended this laptop: its tunnel is closed, and its certificate revoked. */
export const isEnded = (answer: DeviceStatus | KiwiError): boolean =>
  !(answer instanceof KiwiError) && answer.state === 'ended';

/** What a check of the tunnel says then: no network is to blame, and nothing mends it. */
export const TUNNEL_CLOSED = 'the slice has ended this laptop, and its tunnel with it';
