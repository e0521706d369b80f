import { KiwiError } from '../../core/errors.ts';
import type { Device, Registry } from '../registry/registry.ts';
import { byId } from './by-id.ts';

/**
 * Finds a device that an operator can still act on, by its host name, its id or the beginning of that: a live one, or a lost one, which is
 * kept until it ends for good. The names of live devices are unique; a lost one may share its name with a live one.
 * @throws KiwiError `device-unknown`, `usage`
 */
export async function findDevice(registry: Registry, idOrName: string): Promise<Device> {
  const devices = (await registry.listDevices()).filter(
    ({ state, endReason }) => state !== 'ended' || endReason === 'lost',
  );
  const named = devices.filter(({ hostName, label }) => hostName === idOrName || label === idOrName);
  const found = named.find(({ state }) => state !== 'ended') ?? named.at(-1) ?? byId(devices, idOrName);
  if (found === undefined) {
    throw new KiwiError('device-unknown', { detail: `no live or lost device ${idOrName}` });
  }
  return found;
}

/**
 * Also an ended one: the disk of a laptop that was handed back has to be read as well.
 * @throws KiwiError `device-unknown`, `usage`
 */
export async function findAnyDevice(registry: Registry, idOrName: string): Promise<Device> {
  try {
    return await findDevice(registry, idOrName);
  } catch (error) {
    if (!(error instanceof KiwiError) || error.code !== 'device-unknown') throw error;
    const devices = await registry.listDevices();
    // The last one of this name: names of ended devices are given again.
    const named = devices.findLast(({ hostName }) => hostName === idOrName);
    const found = named ?? byId(devices, idOrName);
    if (found === undefined) throw error;
    return found;
  }
}

/** By its whole id, in any state. @throws KiwiError `device-unknown` */
export async function findDeviceById(registry: Registry, id: string): Promise<Device> {
  const device = await registry.findDevice(id);
  if (device === undefined) throw new KiwiError('device-unknown', { detail: `no device ${id}` });
  return device;
}
