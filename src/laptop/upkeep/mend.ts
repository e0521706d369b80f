import { KiwiError } from '../../core/errors.ts';
import { ENROLLMENT } from '../enrollment/plan.ts';
import { inStateFolder } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { mendTunnel, type TunnelCare } from './mend-tunnel.ts';

/** What made the watcher call (native/tunnel-watcher), or a person. */
export const REASONS = ['network', 'wake', 'clock', 'silent', 'stale', 'asked'] as const;
export type MendReason = (typeof REASONS)[number];

/**
 * Mends the tunnel and nothing else: what `check` does for it, without asking the slice about this laptop first.
 * @throws KiwiError `not-enrolled`, `already-running`, `not-root`, `state-damaged`
 */
export async function mend(
  context: LaptopContext,
  reason: MendReason,
): Promise<{ readonly record: EnrollmentRecord; readonly tunnel: TunnelCare }> {
  return inStateFolder(context.platform.stateFolder, ENROLLMENT, async ({ file }) => {
    const record = await file.load();
    if (record?.state !== 'active') throw new KiwiError('not-enrolled');
    return { record, tunnel: await mendTunnel(context, record, { silent: reason !== 'asked' }) };
  });
}
