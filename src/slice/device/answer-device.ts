import { digest } from '../../core/bytes.ts';
import { signCompact } from '../../pki/jws.ts';
import { PROTOCOL, TYP } from '../../protocol/common.ts';
import { CUSTOMER_LINKS } from '../../protocol/customer-links.ts';
import { DISK_ESCROW } from '../../protocol/disk-escrow.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { Extensions } from '../../protocol/extensions.ts';
import { PROVIDER_REVOKED, sayRevoked } from '../../protocol/provider-revoked.ts';
import { SIGN_IN_DIRECTORY, type SignInAnswer } from '../../protocol/sign-in-directory.ts';
import { SLICE_PARTS } from '../../protocol/slice-parts.ts';
import type { Device } from '../registry/registry.ts';
import { timestampOf, type SliceContext } from '../slice-context.ts';
import { describeEscrow } from './describe-escrow.ts';
import { lookAtParts } from './look-at-parts.ts';

/**
 * What a laptop is told about its device, signed by the grant key: a proxy that intercepts TLS cannot forge `green` or
 * `ended`. The slice asks Fleet itself, and only for a live device.
 *
 * @param body the request exactly as received, because its hash is part of the answer
 */
export async function answerDevice(
  slice: SliceContext,
  body: Buffer,
  device: Pick<Device, 'id' | 'state' | 'endReason'> & Partial<Device>,
  options: { askFleet?: boolean; hardware?: DeviceStatus['hardware']; signIn?: SignInAnswer | undefined } = {},
): Promise<string> {
  const { identity, fleet, clock, config } = slice;
  const alive = device.state === 'pending' || device.state === 'active';
  const asked = options.askFleet === true && alive;
  const [fleetView, parts, escrow] = await Promise.all([
    asked && fleet !== undefined
      ? fleet.client.look({
          uuid: device.host?.uuid,
          serial: device.host?.serial,
          since: device.grantedAt ?? device.createdAt ?? 0,
        })
      : null,
    asked ? lookAtParts(slice) : undefined,
    asked ? describeEscrow(slice, device.id) : undefined,
  ]);
  const links = config.links.length === 0 ? {} : { [CUSTOMER_LINKS]: config.links };
  const status: DeviceStatus = {
    protocol: PROTOCOL,
    deviceId: device.id,
    requestHash: digest(body),
    state: device.state === 'reserved' ? 'pending' : device.state,
    endReason: device.endReason,
    hardware: options.hardware ?? null,
    serverTime: timestampOf(clock.now()),
    fleet: fleetView,
    ...extended({
      ...(parts === undefined ? {} : { [SLICE_PARTS]: parts, ...links }),
      ...(escrow === undefined ? {} : { [DISK_ESCROW]: escrow }),
      ...(options.signIn === undefined ? {} : { [SIGN_IN_DIRECTORY]: options.signIn }),
      ...(identity.rootList === undefined ? {} : { [PROVIDER_REVOKED]: sayRevoked(identity.rootList.der) }),
    }),
  };
  return signCompact({
    typ: TYP.deviceStatus,
    payload: JSON.stringify(status),
    signer: identity.signer,
    x5c: [identity.grantCertificate.der, identity.intermediate.der],
  });
}

/** Extensions that no laptop has to know. */
function extended(values: Readonly<Record<string, Extensions[string]['value']>>): Pick<DeviceStatus, 'extensions'> {
  const entries = Object.entries(values).map(([name, value]) => [name, { critical: false, value }] as const);
  return entries.length === 0 ? {} : { extensions: Object.fromEntries(entries) };
}
