import { randomInt, randomUUID } from 'node:crypto';

import { toKiwiError } from '../../core/errors.ts';
import type { Device } from '../registry/registry.ts';
import type { SliceContext } from '../slice-context.ts';

/** An operator is told about a host that Fleet has refused to delete for this long. */
const ALARM_MS = 3_600_000;
/** A Fleet that has refused for this long always will: its token may not delete hosts. */
const GIVE_UP_MS = 7 * 86_400_000;
const LISTED = 500;
const FAILURES_AT_ONCE = 20;

/**
 * Deletes the hosts of ended devices from Fleet, so that a laptop that enrolls again appears there once. Not while a
 * live device is on the same machine: Fleet has one record for both. What fails is retried in the next round; one host
 * that Fleet refuses to delete does not keep it from the others.
 *
 * @throws Error when Fleet does not answer
 */
export async function forgetFleetHosts(slice: SliceContext): Promise<void> {
  const { registry, fleet } = slice;
  if (fleet === undefined) return;
  const duties = await registry.listDuties('fleet-host', LISTED);
  if (duties.length === 0) return;
  // Begins anywhere: otherwise many that are refused would take every round.
  const first = randomInt(duties.length);
  let failures = 0;
  for (const device of [...duties.slice(first), ...duties.slice(0, first)]) {
    try {
      await forgetHost(slice, device);
    } catch (error) {
      // Fleet does not answer at all: do not run into the same time-out for each.
      if (!(await fleet.client.reachable())) throw error;
      if (!(await keepTrying(slice, device, toKiwiError(error).detail ?? 'unknown'))) continue;
      if (++failures === FAILURES_AT_ONCE) return;
      continue;
    }
    await registry.markDone(device.id, 'fleet-host');
  }
}

async function forgetHost({ registry, fleet }: SliceContext, device: Device): Promise<void> {
  const { host, grantedAt } = device;
  // Without a grant it never had Fleet's enroll secret.
  if (grantedAt === null || (await registry.findLiveTwin(host)) !== undefined) return;
  const until = endOf(device);
  await fleet?.client.forget({ uuid: host.uuid, serial: host.serial, since: grantedAt, until });
}

const endOf = ({ endedAt, createdAt }: Device): number => endedAt ?? createdAt;

/** @returns false when the host is given up */
async function keepTrying({ registry, clock, log }: SliceContext, device: Device, detail: string): Promise<boolean> {
  const action = 'fleet.host';
  const now = clock.now();
  const since = now - endOf(device);
  if (since >= ALARM_MS && !(await registry.findAlarm(device.id, action))) {
    const why = `Fleet does not delete the host of ${device.hostName} (${device.id}): ${detail}`;
    const entry = {
      requestId: randomUUID(),
      actor: 'slice',
      action,
      decision: 'alarm',
      code: 'fleet-refused',
      why,
    } as const;
    await registry.raiseAlarm({ ...entry, deviceId: device.id }, now);
    log.error({ deviceId: device.id, why }, 'fleet alarm');
  }
  if (since < GIVE_UP_MS) return true;
  log.warn({ deviceId: device.id, detail }, 'its host stays in Fleet');
  await registry.markDone(device.id, 'fleet-host');
  return false;
}
