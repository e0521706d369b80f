import { digest } from '../../core/bytes.ts';
import { signCompact } from '../../pki/jws.ts';
import { PROTOCOL, TYP } from '../../protocol/common.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { Device } from '../registry/registry.ts';
import { timestampOf, type SliceContext } from '../slice-context.ts';

/**
 * A device as its laptop is told of it, signed by the grant key: a proxy that opens TLS cannot say `green` or `ended` in the slice's
 * name. Fleet is asked by the slice itself, and only for a device that lives.
 *
 * @param body the request: the bytes that came, for they are hashed
 */
export async function answerDevice(
  slice: SliceContext,
  body: Buffer,
  device: Pick<Device, 'id' | 'state' | 'endReason'> & Partial<Device>,
  options: { askFleet?: boolean; hardware?: DeviceStatus['hardware'] } = {},
): Promise<string> {
  const { identity, fleet, clock } = slice;
  const alive = device.state === 'pending' || device.state === 'active';
  const status: DeviceStatus = {
    protocol: PROTOCOL,
    deviceId: device.id,
    requestHash: digest(body),
    state: device.state === 'reserved' ? 'pending' : device.state,
    endReason: device.endReason,
    hardware: options.hardware ?? null,
    serverTime: timestampOf(clock.now()),
    fleet:
      options.askFleet === true && alive && fleet !== undefined
        ? await fleet.client.look({
            uuid: device.host?.uuid,
            serial: device.host?.serial,
            since: device.grantedAt ?? device.createdAt ?? 0,
          })
        : null,
  };
  return signCompact({
    typ: TYP.deviceStatus,
    payload: JSON.stringify(status),
    signer: identity.signer,
    x5c: [identity.grantCertificate.der, identity.intermediate.der],
  });
}
