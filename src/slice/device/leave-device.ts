import { LIMITS, TYP } from '../../protocol/common.ts';
import { leave, type DeviceStatus } from '../../protocol/device-messages.ts';
import { settleEnded } from '../enrollment/settle-ended.ts';
import { auditOf, type RequestContext, type SliceContext } from '../slice-context.ts';
import { describeDevice } from './describe-device.ts';
import { openDeviceMessage } from './open-device-message.ts';

/** The laptop leaves: peer, certificate, fingerprint, address and name end. Safe to repeat. */
export async function leaveDevice(
  slice: SliceContext,
  deviceId: string,
  body: string,
  request: RequestContext,
): Promise<DeviceStatus> {
  const { device, message } = await openDeviceMessage(
    slice,
    { deviceId, body, typ: TYP.leave, schema: leave, maxBytes: LIMITS.confirm },
    request,
  );
  const audit = auditOf(request, 'allowed', { why: `${device.hostName}: ${message.reason}` });
  const changed = await slice.registry.endDevice(device.id, message.reason, slice.clock.now(), audit);
  if (changed === 'ended') await settleEnded(slice, device.id);
  return describeDevice(slice, { ...device, state: 'ended' });
}
