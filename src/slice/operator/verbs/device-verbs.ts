import { KiwiError } from '../../../core/errors.ts';
import { findDevice, findDeviceById } from '../find-device.ts';
import { loseDevice } from '../lose-device.ts';
import { reportDevice } from '../report-device.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

export function deviceVerbs(parts: OperatorParts): Handlers<VerbsOf<'device'>> {
  const { registry, clock, revokeIfPossible } = parts;
  return {
    'device.report': ({ device }) => reportDevice(registry, device),
    'device.lose': async (wish, asked) => reportDevice(registry, await loseDevice(parts, wish, asked)),
    'device.list': () => registry.listDevices(),
    'device.find': ({ device }) => findDevice(registry, device),
    async 'device.end'({ devices, why }, { audited }) {
      for (const id of devices) {
        const { hostName } = await findDeviceById(registry, id);
        const entry = audited('device.end', { deviceId: id, why: `${hostName}: ${why}` });
        await registry.endDevice(id, why, clock.now(), entry);
      }
      return { revoked: await revokeIfPossible() };
    },
    async 'device.rename'({ device: idOrName, label: given }, { audited }) {
      const { id, hostName } = await findDevice(registry, idOrName);
      // What it calls itself is no name of its own: so it is named back.
      const label = given === hostName ? null : given;
      const entry = audited('device.rename', { deviceId: id, why: `${hostName}: ${label ?? 'no name of its own'}` });
      if ((await registry.labelDevice(id, label, clock.now(), entry)) === 'taken') {
        throw new KiwiError('usage', { detail: `another laptop is called ${label ?? ''}` });
      }
      return findDevice(registry, id);
    },
    async 'device.release'({ device: idOrName, why }, { audited }) {
      const device = await findDevice(registry, idOrName);
      const entry = audited('device.release', { deviceId: device.id, why: `${device.hostName}: ${why}` });
      return { device, released: await registry.releaseDevice(device.id, clock.now(), entry) };
    },
  };
}
