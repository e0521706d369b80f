import { LIMITS, TYP } from '../../protocol/common.ts';
import { statusRequest } from '../../protocol/device-messages.ts';
import type { RequestContext, SliceContext } from '../slice-context.ts';
import { answerDevice } from './answer-device.ts';
import { compareHardware, requireFingerprint } from './compare-hardware.ts';
import { openDeviceMessage } from './open-device-message.ts';
import { sayHowToSignIn } from './say-how-to-sign-in.ts';

/** The state of the device in the registry and in Fleet. Changes nothing, except that a laptop that asks how people sign in gets its accounts. */
export async function readDeviceStatus(
  slice: SliceContext,
  deviceId: string,
  body: Buffer,
  request: RequestContext,
): Promise<string> {
  const { device, message } = await openDeviceMessage(
    slice,
    { deviceId, body, typ: TYP.status, schema: statusRequest, maxBytes: LIMITS.status },
    request,
  );
  requireFingerprint(message.fingerprint);
  const hardware = await compareHardware(slice, device, message.fingerprint, request);
  const signIn = await sayHowToSignIn(slice, device, message, hardware, request);
  const answer = await answerDevice(slice, body, device, { askFleet: true, hardware, signIn });
  if (device.state === 'ended' && device.toldAt === null) await slice.registry.markTold(device.id, slice.clock.now());
  return answer;
}
