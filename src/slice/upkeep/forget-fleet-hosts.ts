import { toKiwiError } from '../../core/errors.ts';
import type { SliceContext } from '../slice-context.ts';

/** A Fleet that has refused for this long always will: its token may not delete hosts. */
const GIVE_UP_MS = 7 * 86_400_000;
const AT_ONCE = 20;

/**
 * Deletes the hosts of ended devices from Fleet, so that a laptop that enrolls again appears there once. Not while a
 * live device is on the same machine: Fleet has one record for both. A failure is retried in the next round.
 */
export async function forgetFleetHosts({ registry, fleet, clock, log }: SliceContext): Promise<void> {
  if (fleet === undefined) return;
  for (const device of await registry.listDuties('fleet-host', AT_ONCE)) {
    const { host, grantedAt } = device;
    const until = device.endedAt ?? device.createdAt;
    // Without a grant it never had Fleet's enroll secret.
    if (grantedAt !== null && (await registry.findLiveTwin(host)) === undefined) {
      try {
        await fleet.client.forget({ uuid: host.uuid, serial: host.serial, since: grantedAt, until });
      } catch (error) {
        if (clock.now() - until < GIVE_UP_MS) throw error;
        log.warn({ deviceId: device.id, detail: toKiwiError(error).detail }, 'its host stays in Fleet');
      }
    }
    await registry.markDone(device.id, 'fleet-host');
  }
}
