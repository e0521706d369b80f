import { PROTOCOL } from '../../protocol/common.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { Device } from '../registry/registry.ts';
import { timestampOf, type SliceContext } from '../slice-context.ts';

/** A device as its laptop is told of it. Fleet is asked by the slice itself, and only for a device that lives. */
export async function describeDevice(
  slice: SliceContext,
  device: Device,
  options: { askFleet?: boolean } = {},
): Promise<DeviceStatus> {
  const alive = device.state === 'pending' || device.state === 'active';
  const fleet =
    options.askFleet === true && alive && slice.fleet !== undefined
      ? await slice.fleet.client.look({
          uuid: device.host.uuid,
          serial: device.host.serial,
          since: device.grantedAt ?? device.createdAt,
        })
      : null;
  return {
    protocol: PROTOCOL,
    deviceId: device.id,
    state: device.state === 'reserved' ? 'pending' : device.state,
    serverTime: timestampOf(slice.clock.now()),
    fleet,
  };
}
