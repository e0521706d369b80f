import { KiwiError } from '../../core/errors.ts';
import type { Device, Registry } from '../registry/registry.ts';

/**
 * Finds a device that an operator can still act on, by its id or its host name: a live one, or a lost one, which is
 * kept until it ends for good. The names of live devices are unique; a lost one may share its name with a live one.
 * @throws KiwiError `device-unknown`
 */
export async function findDevice(registry: Registry, idOrName: string): Promise<Device> {
  const named = (await registry.listDevices()).filter(({ id, hostName }) => id === idOrName || hostName === idOrName);
  const found = named.find(({ state }) => state !== 'ended') ?? named.findLast(({ endReason }) => endReason === 'lost');
  if (found === undefined) {
    throw new KiwiError('device-unknown', { detail: `no live or lost device ${idOrName}` });
  }
  return found;
}
