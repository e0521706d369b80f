import { KiwiError } from '../../core/errors.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { bundleMessage, openBundle } from '../../protocol/support-bundle.ts';
import { BUNDLES } from '../decisions/bundle-limits.ts';
import { auditOf, type RequestContext, type SliceContext } from '../slice-context.ts';
import { answerDevice } from './answer-device.ts';
import { limitOfDevice } from './limit-of-device.ts';
import { openDeviceMessage } from './open-device-message.ts';

const takeTurn = limitOfDevice(BUNDLES.rate);

/**
 * Keeps a support bundle for the operator. What the device key signs is the hash of the manifest, which describes every file; the rest of
 * the body proves nothing by itself. Safe to repeat.
 *
 * @throws KiwiError `request-malformed`, `device-signature-refused`, `device-ended`, `too-many-requests`, and those of `openDeviceMessage`
 */
export async function receiveBundle(
  slice: SliceContext,
  deviceId: string,
  body: Buffer,
  request: RequestContext,
): Promise<string> {
  const { manifest, manifestHash, signature } = openBundle(body, 'request-malformed');
  if (signature === null) throw new KiwiError('device-signature-refused', { detail: 'the bundle is not signed' });
  const { device, message } = await openDeviceMessage(
    slice,
    { deviceId, body: Buffer.from(signature), typ: TYP.bundle, schema: bundleMessage, maxBytes: LIMITS.confirm },
    request,
  );
  if (message.manifestHash !== manifestHash) {
    throw new KiwiError('device-signature-refused', { detail: 'the signature is of another manifest' });
  }
  if (manifest.deviceId !== device.id) throw new KiwiError('request-malformed', { detail: 'deviceId is another' });
  if (device.state === 'ended') throw new KiwiError('device-ended', { detail: device.endReason ?? 'ended' });
  takeTurn(slice, device.id);
  const why = `${device.hostName}: bundle ${manifest.bundleId}, ${body.length} bytes`;
  await slice.registry.storeBundle(
    { deviceId: device.id, manifestHash, text: body.toString('utf8') },
    BUNDLES.perDevice,
    slice.clock.now(),
    auditOf(request, 'allowed', { why }),
  );
  return answerDevice(slice, body, device);
}
