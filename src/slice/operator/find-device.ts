import { KiwiError } from '../../core/errors.ts';
import type { Device, Registry } from '../registry/registry.ts';

/**
 * Finds a live device by its id or its host name; the names of live devices are unique.
 * @throws KiwiError `device-unknown`
 */
export async function findLiveDevice(registry: Registry, idOrName: string): Promise<Device> {
  const devices = await registry.listDevices();
  const found = devices.find(
    ({ id, hostName, state }) => state !== 'ended' && (id === idOrName || hostName === idOrName),
  );
  if (found === undefined) {
    throw new KiwiError('device-unknown', { detail: `no live device ${idOrName}`, hint: 'See `device list`.' });
  }
  return found;
}
