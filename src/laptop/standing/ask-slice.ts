import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { Fingerprint } from '../../protocol/fingerprint.ts';
import { sliceAuthority } from '../exchange/slice-authority.ts';
import { collectFingerprint } from '../fingerprint/collect-fingerprint.ts';
import { openGatewayClient } from '../gateway-client/open-gateway-client.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { Platform } from '../system/platform.ts';

const PATIENCE_MS = 10_000;

/**
 * Asks the slice about this laptop, once, and reports the hardware on which the device key is used.
 * @throws KiwiError `not-enrolled` without a device or its key; otherwise the reason why there was no valid answer
 */
export async function askSlice(
  context: LaptopContext,
  record: EnrollmentRecord,
  patienceMs = PATIENCE_MS,
): Promise<DeviceStatus> {
  const { platform, roots } = context;
  const { device, slug, gatewayUrl } = record;
  const key = await platform.certificates.loadDeviceKey(slug);
  if (device === undefined || key === undefined) throw new KiwiError('not-enrolled');
  const slice = await sliceAuthority(platform, slug, roots, device.intermediate);
  const hardware = await currentHardware(platform, device.fingerprintSalt);
  const client = await openGatewayClient(context, gatewayUrl, { retries: 0, keptProxy: record.proxy });
  const late = AbortSignal.timeout(patienceMs);
  try {
    return await client.status(
      { deviceId: device.deviceId, key, slice },
      hardware,
      AbortSignal.any([context.signal, late]),
    );
  } catch (thrown) {
    throw late.aborted ? new KiwiError('gateway-unreachable', { detail: 'no answer' }) : toKiwiError(thrown);
  } finally {
    await client.close();
  }
}

/**
 * The fingerprint of the hardware that we run on now; undefined when there is none (no salt in an old record, too few
 * hardware identifiers).
 */
export async function currentHardware(platform: Platform, salt: string | undefined): Promise<Fingerprint | undefined> {
  if (salt === undefined) return undefined;
  return collectFingerprint(platform.hardware, Buffer.from(salt, 'base64url')).catch(() => undefined);
}
