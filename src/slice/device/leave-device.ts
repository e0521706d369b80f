import { KiwiError } from '../../core/errors.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { leave } from '../../protocol/device-messages.ts';
import { RateLimit } from '../decisions/rate-limit.ts';
import { auditOf, perSlice, type RequestContext, type SliceContext } from '../slice-context.ts';
import { settleEnded } from '../upkeep/settle-ended.ts';
import { answerDevice } from './answer-device.ts';
import { openDeviceMessage } from './open-device-message.ts';

/**
 * How often one address is told that a device is not known. Nobody can prove anything about such a device, and each answer
 * costs a signature; a whole office that leaves a slice restored from an old backup is told within minutes.
 */
const UNKNOWN_DEVICES = { burst: 30, perSecond: 0.5 };
const limitOf = perSlice(() => new RateLimit(UNKNOWN_DEVICES));

/**
 * Deregisters a laptop: peer, certificate, fingerprint, address and name end. Safe to repeat, and valid at any age:
 * device ids are never reused, so an old deregistration can end only the device it was meant for. For an unknown device
 * there is nothing to do.
 */
export async function leaveDevice(
  slice: SliceContext,
  deviceId: string,
  body: Buffer,
  request: RequestContext,
): Promise<string> {
  const opened = await openDeviceMessage(
    slice,
    { deviceId, body, typ: TYP.leave, schema: leave, maxBytes: LIMITS.confirm, anyTime: true },
    request,
  ).catch((error: unknown) => {
    if (error instanceof KiwiError && error.code === 'device-unknown') return undefined;
    throw error;
  });
  if (opened === undefined) return answerUnknown(slice, deviceId, body, request);
  const { device, message } = opened;
  const audit = auditOf(request, 'allowed', { why: `${device.hostName}: ${message.reason}` });
  const changed = await slice.registry.endDevice(device.id, message.reason, slice.clock.now(), audit);
  if (changed === 'ended') await settleEnded(slice, device.id);
  return answerDevice(slice, body, { ...device, state: 'ended', endReason: device.endReason ?? message.reason });
}

/** Signed as well, so that the laptop need not keep its message for ever. */
function answerUnknown(slice: SliceContext, id: string, body: Buffer, request: RequestContext): Promise<string> {
  if (!limitOf(slice).take(request.remote, slice.clock.monotonic())) throw new KiwiError('too-many-requests');
  return answerDevice(slice, body, { id, state: 'ended', endReason: null });
}
