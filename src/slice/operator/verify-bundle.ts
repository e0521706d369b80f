import { KiwiError } from '../../core/errors.ts';
import { JoseError, openCompact } from '../../pki/jws.ts';
import { jwkToKey } from '../../pki/keys.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { bundleMessage, openBundle, type OpenedBundle } from '../../protocol/support-bundle.ts';
import type { Device, Registry } from '../registry/registry.ts';

/** A bundle whose every file is as a laptop of this slice signed it. */
export interface VerifiedBundle extends OpenedBundle {
  readonly device: Pick<Device, 'id' | 'hostName' | 'state' | 'endReason'>;
  /** RFC 3339, by the laptop's clock. */
  readonly signedAt: string;
}

/**
 * Proves whose a support bundle is: signed by the key that the registry has for the device which it names. The certificate in it is no
 * proof; a laptop whose certificate has expired signs as well as any other.
 * @throws KiwiError `bundle-invalid`, `device-unknown`
 */
export async function verifyBundle(registry: Pick<Registry, 'findDevice'>, bytes: Uint8Array): Promise<VerifiedBundle> {
  const bundle = openBundle(bytes);
  if (bundle.signature === null) refuse('it is not signed');
  const opened = open(bundle.signature);
  const { kid, x5c, jwk } = opened.header;
  const said = parseMessage(bundleMessage, opened.payload, LIMITS.confirm, 'bundle-invalid');
  if (said.manifestHash !== bundle.manifestHash) refuse('its signature is of another manifest');
  if (said.deviceId !== bundle.manifest.deviceId) refuse('its signature names another device');
  const device = await registry.findDevice(said.deviceId);
  if (device === undefined || device.state === 'reserved') throw new KiwiError('device-unknown');
  if (x5c !== undefined || jwk !== undefined || kid !== device.deviceKeyThumbprint) refuse('it names another key');
  if (!opened.verify(jwkToKey(device.deviceKey))) refuse('its signature is wrong');
  const { id, hostName, state, endReason } = device;
  return { ...bundle, device: { id, hostName, state, endReason }, signedAt: said.timestamp };
}

function open(signature: string): ReturnType<typeof openCompact> {
  try {
    return openCompact(signature, TYP.bundle);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('bundle-invalid', { detail: error.message, cause: error });
  }
}

function refuse(detail: string): never {
  throw new KiwiError('bundle-invalid', { detail });
}
