import { KiwiError } from '../../core/errors.ts';
import { readFleetConfig } from '../config/fleet-config.ts';
import { partsOfLoss, type FleetAction } from '../decisions/loss-parts.ts';
import { findDevice } from './find-device.ts';
import type { Asked, OperatorParts } from './verbs/handlers.ts';

export interface LossWish {
  /** Its id or host name. */
  readonly device: string;
  /** What Fleet is to do with it. */
  readonly action?: FleetAction | undefined;
  /** For the audit. */
  readonly why: string;
}

/**
 * A laptop is lost: one act, of which everything that can be done now is done, and the rest is recorded and done by the running slice. Its
 * device ends, with fingerprint kept; no certificate is issued any more, and those that are valid are revoked; the peer reaches Fleet only,
 * and nothing when Fleet has nothing to do; Fleet locks or wipes it; the enroll secret is replaced, because it was on the laptop's disk
 * once; its directory entry is disabled; its recovery key is marked. Safe to repeat: a wipe can be asked for later.
 *
 * @returns the device's id
 * @throws KiwiError `device-unknown`, `usage` when there is no Fleet that could lock or wipe it
 */
export async function loseDevice(
  { registry, config, paths, clock, revokeIfPossible }: OperatorParts,
  { device: idOrName, action, why }: LossWish,
  { audited }: Asked,
): Promise<string> {
  const fleet = (await readFleetConfig(paths.dir)) !== undefined;
  if (action !== undefined && !fleet) {
    throw new KiwiError('usage', {
      detail: `the slice has no Fleet server that could ${action} a laptop`,
      hint: 'Leave out --lock or --wipe: everything else is done.',
    });
  }
  const { id, hostName } = await findDevice(registry, idOrName);
  const what = `${hostName}${action === undefined ? '' : `, ${action}`}: ${why}`;
  const entry = audited('device.lost', { deviceId: id, why: what });
  const parts = partsOfLoss({ action, fleet, directory: config.directory !== undefined });
  if ((await registry.reportLost(id, parts, clock.now(), entry)) === 'unknown') {
    throw new KiwiError('device-unknown', { detail: `no live or lost device ${idOrName}` });
  }
  await revokeIfPossible();
  return id;
}
