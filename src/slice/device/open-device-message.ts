import type { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import { JoseError, openCompact, type OpenedCompact } from '../../pki/jws.ts';
import { jwkToKey } from '../../pki/keys.ts';
import { CLOCK_WINDOW_MS } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import type { Device } from '../registry/registry.ts';
import type { RequestContext, SliceContext } from '../slice-context.ts';

/**
 * Opens a message of an enrolled laptop: a compact JWS by its device key, named by its thumbprint. With `anyTime`, the
 * timestamp may be of any age.
 *
 * @throws KiwiError `request-malformed`, `device-unknown`, `device-signature-refused`, `clock-skew`
 */
export async function openDeviceMessage<S extends z.ZodType<{ deviceId: string; timestamp: string }>>(
  slice: SliceContext,
  input: { deviceId: string; body: Buffer; typ: string; schema: S; maxBytes: number; anyTime?: boolean },
  request: RequestContext,
): Promise<{ device: Device; message: z.infer<S> }> {
  const opened = open(input.body, input.typ);
  const { kid, x5c, jwk } = opened.header;
  if (kid === undefined || x5c !== undefined || jwk !== undefined) {
    throw new KiwiError('device-signature-refused', { detail: 'its key is not named by kid alone' });
  }
  // Before the signature, because an answer for a device that the slice does not know has to be signed without one.
  const message = parseMessage(input.schema, opened.payload, input.maxBytes, 'request-malformed');
  if (message.deviceId !== input.deviceId) throw new KiwiError('request-malformed', { detail: 'deviceId is another' });
  const device = await slice.registry.findDevice(input.deviceId);
  // A reservation is not a device yet: nobody outside knows its id.
  if (device === undefined || device.state === 'reserved') throw new KiwiError('device-unknown');
  request.deviceId = device.id;
  if (device.yubikeySerial !== null) request.yubikeySerial = device.yubikeySerial;
  if (kid !== device.deviceKeyThumbprint) throw new KiwiError('device-signature-refused', { detail: 'another key' });
  if (!opened.verify(jwkToKey(device.deviceKey))) {
    throw new KiwiError('device-signature-refused', { detail: 'signature' });
  }
  if (input.anyTime === true) return { device, message };
  const skew = Date.parse(message.timestamp) - slice.clock.now();
  if (Math.abs(skew) > CLOCK_WINDOW_MS) {
    throw new KiwiError('clock-skew', { detail: `off by ${Math.round(skew / 1000)} s` });
  }
  return { device, message };
}

function open(body: Buffer, typ: string): OpenedCompact {
  try {
    return openCompact(body.toString('latin1'), typ);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('request-malformed', { detail: error.message, cause: error });
  }
}
