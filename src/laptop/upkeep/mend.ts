import type { KiwiError } from '../../core/errors.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { RenewedCertificate } from '../standing/renew-certificate.ts';
import { renewIfDue } from '../standing/renew-if-due.ts';
import { tellConsumers } from '../standing/tell-consumers.ts';
import { mendTunnel, type TunnelCare } from './mend-tunnel.ts';
import { whileEnrolled } from './while-enrolled.ts';

/** What made the watcher call (native/tunnel-watcher), or a person. */
export const REASONS = ['network', 'wake', 'clock', 'silent', 'stale', 'asked'] as const;
export type MendReason = (typeof REASONS)[number];

export interface Mended {
  readonly record: EnrollmentRecord;
  readonly tunnel: TunnelCare;
  /** The certificate was due: the new one, or why there is none. */
  readonly renewal?: RenewedCertificate | KiwiError;
}

/** The run keeps others from theirs; what it does not get now, the next `check` gets. */
const SHORT = { retries: 3, patienceMs: 20_000 };

/**
 * Mends the tunnel: what `check` does for it, without asking the slice about this laptop first. Beside it, a certificate that is due
 * is renewed: a laptop that slept has none, and the network that it had to wait for is there.
 * @throws KiwiError `not-enrolled`, `already-running`, `not-root`, `state-damaged`
 */
export async function mend(context: LaptopContext, reason: MendReason): Promise<Mended> {
  return whileEnrolled(context, async (record, file) => {
    const [tunnel, renewal] = await Promise.all([
      mendTunnel(context, record, { silent: reason !== 'asked' }),
      renewIfDue(context, file, record, { patience: SHORT }),
    ]);
    if (renewal !== undefined) await tellConsumers(context, file);
    return { record, tunnel, ...(renewal === undefined ? {} : { renewal }) };
  });
}
