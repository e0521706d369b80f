import { findOverlap } from '../tunnel/find-overlap.ts';
import type { KnownEnrollment } from './known-enrollment.ts';

/**
 * Called before the tunnel starts and, where an earlier run has recorded the networks, before PIN and touch.
 * @throws KiwiError `network-overlap`
 */
export async function refuseOverlap({ platform, recordIfAny }: KnownEnrollment): Promise<void> {
  const networks = recordIfAny?.device?.tunnel?.networks;
  if (recordIfAny === undefined || networks === undefined) return;
  const overlap = await findOverlap(platform.tunnel, recordIfAny.slug, networks);
  if (overlap !== undefined) throw overlap;
}
