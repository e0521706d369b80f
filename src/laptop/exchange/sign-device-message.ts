import { signCompact } from '../../pki/jws.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import { PROTOCOL, TYP } from '../../protocol/common.ts';
import type { RecoveryKeyMessage } from '../../protocol/disk-escrow.ts';
import type { Confirm, Leave, StatusRequest } from '../../protocol/device-messages.ts';
import type { Renewal } from '../../protocol/renewal.ts';
import type { BundleMessage } from '../../protocol/support-bundle.ts';
import type { DeviceKey } from '../system/device-key.ts';

type Said<M> = Omit<M, 'protocol' | 'deviceId' | 'timestamp'>;
interface Messages {
  readonly confirm: Said<Confirm>;
  readonly status: Said<StatusRequest>;
  readonly leave: Said<Leave>;
  readonly renewal: Said<Renewal>;
  readonly bundle: Said<BundleMessage>;
  readonly recoveryKey: Said<RecoveryKeyMessage>;
}
export type DeviceVerb = keyof Messages;

/** A message of this device, signed by its key: a compact JWS, as it is sent. */
export function signDeviceMessage<V extends DeviceVerb>(
  device: { readonly deviceId: string; readonly key: DeviceKey },
  verb: V,
  message: Messages[V],
  now: number,
): Promise<string> {
  const { deviceId, key } = device;
  const timestamp = new Date(now).toISOString();
  return signCompact({
    typ: TYP[verb],
    kid: jwkThumbprint(publicJwk(key.publicKey)),
    signer: key,
    payload: JSON.stringify({ protocol: PROTOCOL, deviceId, ...message, timestamp }),
  });
}
