import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { CLOCK_WINDOW_MS } from '../../protocol/common.ts';
import type { EnrollmentRecord, RecordFile } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { renewCertificate, type RenewedCertificate } from './renew-certificate.ts';
import { renewalSchedule } from './renewal-schedule.ts';

/**
 * Renews the certificate when that is due by the slice's clock, if the slice has just told it, and else by ours, corrected by what was
 * known of it at the last renewal: a clock that is hours ahead has one renewal too many, and not one after the other. Either goes on
 * while a laptop sleeps. It is tried even if the slice has just not answered, or the laptop has ended: only the slice decides who gets a
 * certificate, and its refusal says why. A certificate whose intermediate was taken back is due at once.
 *
 * @returns undefined when it is not due
 */
export async function renewIfDue(
  context: LaptopContext,
  file: RecordFile,
  record: EnrollmentRecord,
  options: NonNullable<Parameters<typeof renewCertificate>[3]> & { readonly isRevoked?: boolean } = {},
): Promise<RenewedCertificate | KiwiError | undefined> {
  const { certificates } = context.platform;
  try {
    const stored = record.state === 'active' ? await certificates.load(record.slug) : undefined;
    if (stored === undefined || record.device === undefined) return undefined;
    const skewMs = options.line?.client.skewMs ?? record.device.certificate?.skewMs ?? 0;
    const now = context.clock.now() + skewMs;
    // One of the future was given by whoever had a stolen key and this laptop's way to the slice.
    const isUseless = options.isRevoked === true || stored.leaf.notBefore.getTime() > now + CLOCK_WINDOW_MS;
    if (!isUseless && now < renewalSchedule(record.device, stored.leaf).due.getTime()) return undefined;
    return await renewCertificate(context, file, record, options);
  } catch (error) {
    return toKiwiError(error);
  }
}
