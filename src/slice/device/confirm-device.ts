import { KiwiError } from '../../core/errors.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { confirm } from '../../protocol/device-messages.ts';
import { auditOf, type RequestContext, type SliceContext } from '../slice-context.ts';
import { answerDevice } from './answer-device.ts';
import { compareHardware, requireFingerprint } from './compare-hardware.ts';
import { openDeviceMessage } from './open-device-message.ts';

/**
 * Moves a device from pending to active. Safe to repeat.
 * @throws KiwiError `confirm-mismatch`, `fingerprint-refused`, `device-ended`, `yubikey-burned`, and those of `openDeviceMessage`
 */
export async function confirmDevice(
  slice: SliceContext,
  deviceId: string,
  body: Buffer,
  request: RequestContext,
): Promise<string> {
  const { device, message } = await openDeviceMessage(
    slice,
    { deviceId, body, typ: TYP.confirm, schema: confirm, maxBytes: LIMITS.confirm },
    request,
  );
  if (device.endReason === 'yubikey-burned') throw new KiwiError('yubikey-burned', { detail: 'before it confirmed' });
  if (device.state === 'ended') throw new KiwiError('device-ended', { detail: device.endReason ?? 'ended' });
  if (message.grantHash !== device.grantHash) throw new KiwiError('confirm-mismatch', { detail: 'grantHash' });
  requireFingerprint(message.fingerprint);
  const state = await slice.registry.confirm(
    device.id,
    slice.clock.now(),
    auditOf(request, 'allowed', { why: device.hostName }),
  );
  if (state === 'yubikey-burned') throw new KiwiError(state, { detail: 'before it confirmed' });
  if (state === 'ended') throw new KiwiError('device-ended', { detail: 'its time to confirm is over' });
  const hardware = await compareHardware(slice, device, message.fingerprint, request);
  return answerDevice(slice, body, { ...device, state }, { hardware });
}
