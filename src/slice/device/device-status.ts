import { LIMITS, TYP } from '../../protocol/common.ts';
import { statusRequest, type DeviceStatus } from '../../protocol/device-messages.ts';
import type { RequestContext, SliceContext } from '../slice-context.ts';
import { describeDevice } from './describe-device.ts';
import { openDeviceMessage } from './open-device-message.ts';

/** How the device stands here and in Fleet. Changes nothing. */
export async function readDeviceStatus(
  slice: SliceContext,
  deviceId: string,
  body: string,
  request: RequestContext,
): Promise<DeviceStatus> {
  const { device } = await openDeviceMessage(
    slice,
    { deviceId, body, typ: TYP.status, schema: statusRequest, maxBytes: LIMITS.status },
    request,
  );
  return describeDevice(slice, device, { askFleet: true });
}
