import { KiwiError } from '../../core/errors.ts';
import type { Fingerprint } from '../../protocol/fingerprint.ts';
import type { RevocationList } from '../../pki/revocation-list.ts';
import { sliceAuthority } from '../exchange/slice-authority.ts';
import { collectFingerprint } from '../fingerprint/collect-fingerprint.ts';
import type { DeviceIdentity, GatewayClient } from '../gateway-client/gateway-client.ts';
import { openGatewayClient } from '../gateway-client/open-gateway-client.ts';
import { RevokedLists } from '../state/revoked-lists.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { Platform } from '../system/platform.ts';

/** A connection to the slice of an enrolled laptop. Several messages share one, and what is known of the slice's clock. */
export interface SliceLine {
  readonly client: GatewayClient;
  readonly device: DeviceIdentity;
  /** What we run on now. */
  readonly hardware: Fingerprint | undefined;
  close(): Promise<void>;
}

/** @throws KiwiError `not-enrolled` without a device or its key */
export async function openSliceLine(context: LaptopContext, record: EnrollmentRecord): Promise<SliceLine> {
  const { platform, roots } = context;
  const { device, slug, gatewayUrl } = record;
  const key = await platform.certificates.loadDeviceKey(slug);
  if (device === undefined || key === undefined) throw new KiwiError('not-enrolled');
  const authority = await sliceAuthority(platform, slug, roots, device.intermediate);
  const slice = { ...authority, revoked: await new RevokedLists(platform).load(authority.roots) };
  const hardware = await currentHardware(platform, device.fingerprintSalt);
  const known = { retries: 0, keptProxy: record.proxy, pastMs: slice.past?.getTime() };
  const client = await openGatewayClient(context, gatewayUrl, known);
  return { client, device: { deviceId: device.deviceId, key, slice }, hardware, close: () => client.close() };
}

/** The same line, for answers by what is known of revoked intermediates since it was opened. */
export function withRevoked(line: SliceLine, revoked: readonly RevocationList[]): SliceLine {
  const { device } = line;
  return { ...line, device: { ...device, slice: { ...device.slice, revoked } } };
}

/**
 * The fingerprint of the hardware that we run on now; undefined when there is none (no salt in an old record, too few
 * hardware identifiers).
 */
export async function currentHardware(platform: Platform, salt: string | undefined): Promise<Fingerprint | undefined> {
  if (salt === undefined) return undefined;
  return collectFingerprint(platform.hardware, Buffer.from(salt, 'base64url')).catch(() => undefined);
}
