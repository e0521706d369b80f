import type { TunnelKeeper, TunnelKeepers } from '../system/tunnel-app.ts';

/** System Settings forgets a profile that nobody has approved within minutes. The file with the tunnel's key is not left lying about for longer. */
export const OFFER_LASTS_MS = 3_600_000;

/**
 * `hand-over`: both keep the tunnel, with one key, so our daemon stops. `take-back`: nobody keeps it any more, so our daemon does. `withdraw`:
 * an offer lies about that is not needed any more, or was open for too long.
 */
export type KeeperStep = 'hand-over' | 'take-back' | 'withdraw' | 'nothing';

/**
 * What is left to do so that exactly one keeps the tunnel. It follows from what the system shows, so that a run that was killed anywhere is
 * finished by the next one: the approval of the person is the wish for the app, and a profile that is gone the wish for our daemon.
 */
export function nextKeeperStep({ daemon, app, offeredAt }: TunnelKeepers, now: number): KeeperStep {
  if (app) {
    if (daemon !== 'none') return 'hand-over';
    return offeredAt === undefined ? 'nothing' : 'withdraw';
  }
  if (daemon !== 'whole') return 'take-back';
  // A clock that was set back must not keep it open.
  return offeredAt === undefined || Math.abs(now - offeredAt) < OFFER_LASTS_MS ? 'nothing' : 'withdraw';
}

/** Who keeps it now. While both do, our daemon has not handed it over. */
export const keeperOf = ({ app, daemon }: TunnelKeepers): TunnelKeeper => (app && daemon === 'none' ? 'app' : 'daemon');
