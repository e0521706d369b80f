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
  const device = await slice.registry.findDevice(input.deviceId);
  // A reservation is not a device yet: nobody outside knows its id.
  if (device === undefined || device.state === 'reserved') throw new KiwiError('device-unknown');
  request.deviceId = device.id;
  request.yubikeySerial = device.yubikeySerial;
  if (
    opened.header.kid !== device.deviceKeyThumbprint ||
    opened.header.x5c !== undefined ||
    opened.header.jwk !== undefined
  ) {
    throw new KiwiError('device-signature-refused', { detail: 'another key' });
  }
  if (!opened.verify(jwkToKey(device.deviceKey))) {
    throw new KiwiError('device-signature-refused', { detail: 'signature' });
  }
  const message = parseMessage(input.schema, opened.payload, input.maxBytes, 'request-malformed');
  if (message.deviceId !== device.id) throw new KiwiError('request-malformed', { detail: 'deviceId is another' });
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
