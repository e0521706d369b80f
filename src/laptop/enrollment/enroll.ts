import { KiwiError } from '../../core/errors.ts';
import { askSlice } from '../standing/ask-slice.ts';
import { endedError } from '../standing/ended-error.ts';
import { inStateFolder, type RunState } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { carryOut, withoutHalfUndone, type EnrollEvent } from './carry-out.ts';
import type { EnrollmentOptions } from './enrollment-run.ts';
import { certificateExpiry, isReplaced, leaveExpired, renewExpired } from './leave-expired.ts';
import { ENROLLMENT, ENROLLMENT_PLAN } from './plan.ts';

export type { EnrollEvent } from './carry-out.ts';

/**
 * Enrolls this laptop, or resumes an interrupted enrollment. On a failure, or when the signal fires, everything that the
 * enrollment did is undone, on this laptop and at the slice.
 *
 * @returns the final record
 * @throws KiwiError `already-enrolled` when there is nothing to do; otherwise the reason for the failure, after the undo
 */
export async function enroll(
  options: EnrollmentOptions,
  report: (event: EnrollEvent) => void,
): Promise<EnrollmentRecord> {
  return inStateFolder(options.platform.stateFolder, ENROLLMENT, (state) => enrollIn(state, options, report), options);
}

async function enrollIn(
  state: RunState,
  options: EnrollmentOptions,
  report: (event: EnrollEvent) => void,
): Promise<EnrollmentRecord> {
  const work = { state, options, report };
  let record = await withoutHalfUndone(await state.file.load(), work);
  if (record?.state === 'active') {
    await refuseElsewhere(options, record);
    const expired = await certificateExpiry(options, record);
    const replaced = expired === undefined && (await isReplaced(options, record));
    const due = expired ?? (replaced ? new Date(options.clock.now()) : undefined);
    const renewed = due === undefined ? undefined : await renewExpired(state, options, record);
    if (renewed !== undefined) {
      const { number, notAfter } = renewed;
      report({ type: 'certificate-renewed', number, notAfter: notAfter.toISOString() });
    } else if (due !== undefined) {
      report({ type: 'certificate-expired', at: due.toISOString(), ...(replaced ? { replaced } : {}) });
      await leaveExpired(state, options, record, report);
      record = undefined;
    }
  }
  if (record?.state === 'active') {
    throw new KiwiError('already-enrolled', { detail: `${record.device?.hostName ?? ''} with ${record.customer}` });
  }
  const done = await carryOut(ENROLLMENT_PLAN, record, work);
  if (done.state === 'waiting') throw new TypeError('no step of an enrollment waits');
  return done.record;
}

/**
 * Checks that the slice, if it can be reached, still accepts this enrollment for this laptop: reporting "already enrolled"
 * would hide a copied disk, a cleared TPM or a device that has ended.
 * @throws KiwiError `hardware-changed`, `tpm-key-gone`, `device-ended`
 */
async function refuseElsewhere(context: LaptopContext, record: EnrollmentRecord): Promise<void> {
  const slice = await askSlice(context, record).catch((error: unknown) => {
    if (error instanceof KiwiError && error.code === 'tpm-key-gone') throw error;
    return undefined;
  });
  if (slice?.hardware === 'changed') throw new KiwiError('hardware-changed', { detail: record.device?.hostName ?? '' });
  if (slice?.state === 'ended') throw endedError(slice);
}
