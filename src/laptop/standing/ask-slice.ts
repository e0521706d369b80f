import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { Extensions } from '../../protocol/extensions.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { openSliceLine, type SliceLine } from './slice-line.ts';

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
  const line = await openSliceLine(context, record);
  try {
    return await askOn(line, context, { patienceMs });
  } finally {
    await line.close();
  }
}

/** The same, on a line that is open. */
export async function askOn(
  { client, device, hardware }: SliceLine,
  { signal }: LaptopContext,
  {
    patienceMs = PATIENCE_MS,
    extensions,
  }: { readonly patienceMs?: number; readonly extensions?: Extensions | undefined } = {},
): Promise<DeviceStatus> {
  const late = AbortSignal.timeout(patienceMs);
  try {
    const said = { ...(hardware && { fingerprint: hardware }), ...(extensions && { extensions }) };
    return await client.status(device, said, AbortSignal.any([signal, late]));
  } catch (thrown) {
    throw late.aborted ? new KiwiError('gateway-unreachable', { detail: 'no answer' }) : toKiwiError(thrown);
  }
}
