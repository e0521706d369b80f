import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { stepsBegun, undoWasBegun, type Journal } from '../pipeline/journal.ts';
import { runPlan, stepsIn, undoPlan, type PlanEvent, type PlanResult } from '../pipeline/run-plan.ts';
import { askSlice } from '../standing/ask-slice.ts';
import { tellFarewells, type FarewellOutcome } from '../standing/tell-farewells.ts';
import { inStateFolder, type RunState } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { EnrollmentRun, type EnrollmentOptions } from './enrollment-run.ts';
import { findTraces, listed } from './find-traces.ts';
import { KnownEnrollment } from './known-enrollment.ts';
import { certificateExpiry, isReplaced, leaveExpired, renewExpired } from './leave-expired.ts';
import { ENROLLMENT, ENROLLMENT_PLAN } from './plan.ts';
import { takeAway } from './uninstall.ts';

export type EnrollEvent =
  | PlanEvent
  /** An earlier run was interrupted; this one resumes it. */
  | { readonly type: 'resumed'; readonly startedAt: string }
  /**
   * A deregistration pending from an earlier uninstallation was sent. With an error it stays pending; the enrollment
   * continues.
   */
  | ({ readonly type: 'farewell' } & FarewellOutcome)
  /** The device certificate had expired and was renewed: nothing else is needed. */
  | { readonly type: 'certificate-renewed'; readonly number: number; readonly notAfter: string }
  /** It has expired too long ago, or is of keys that the customer has replaced: the enrollment is removed, and this laptop enrolls again. */
  | { readonly type: 'certificate-expired'; readonly at: string; readonly replaced?: true }
  /** An earlier run was interrupted while undoing its changes; this one finishes the undo first. */
  | { readonly type: 'undo-resumed' };

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
  { file, journal }: RunState,
  options: EnrollmentOptions,
  report: (event: EnrollEvent) => void,
): Promise<EnrollmentRecord> {
  let run: EnrollmentRun | undefined;
  try {
    let record = await file.load();
    if (undoWasBegun(await journal.read())) {
      report({ type: 'undo-resumed' });
      if (record !== undefined) await finishUndo(new KnownEnrollment(options, file, record), journal, report);
      await file.remove();
      await journal.remove();
      record = undefined;
    }
    if (record?.state === 'active') {
      await refuseElsewhere(options, record);
      const expired = await certificateExpiry(options, record);
      const replaced = expired === undefined && (await isReplaced(options, record));
      const due = expired ?? (replaced ? new Date(options.clock.now()) : undefined);
      const renewed = due === undefined ? undefined : await renewExpired({ file, journal }, options, record);
      if (renewed !== undefined) {
        const { number, notAfter } = renewed;
        report({ type: 'certificate-renewed', number, notAfter: notAfter.toISOString() });
      } else if (due !== undefined) {
        report({ type: 'certificate-expired', at: due.toISOString(), ...(replaced ? { replaced } : {}) });
        await leaveExpired({ file, journal }, options, record, report);
        record = undefined;
      }
    }
    if (record?.state === 'active') {
      throw new KiwiError('already-enrolled', { detail: `${record.device?.hostName ?? ''} with ${record.customer}` });
    }
    if (record === undefined) {
      const { ours } = await findTraces(options.platform);
      if (ours.length > 0) throw new KiwiError('enrollment-incomplete', { detail: `found: ${listed(ours)}` });
    }
    // Otherwise the slice may refuse this laptop as already registered.
    const outcomes = await tellFarewells(options).catch(() => []);
    for (const outcome of outcomes) report({ type: 'farewell', ...outcome });
    if (record !== undefined) report({ type: 'resumed', startedAt: record.startedAt });
    const { clock, signal } = options;
    const failed = new AbortController();
    // The steps observe both: the person's request to stop, and the failure of a step in another lane.
    run = new EnrollmentRun({ ...options, signal: AbortSignal.any([signal, failed.signal]) }, file, record);
    let result: PlanResult;
    try {
      result = await runPlan({ steps: ENROLLMENT_PLAN, run, journal, clock, signal, failed, report });
    } catch (error) {
      // What the journal does not know of any more is found on the system.
      const left = (await isUndone(journal))
        ? (await takeAway({ run, file, journal, report, damaged: false })).leftBehind.length > 0
        : true;
      throw left ? toKiwiError(error).with({ hint: NOT_UNDONE }) : error;
    }
    if (result.state === 'waiting') throw new TypeError('no step of an enrollment waits');
    return run.record;
  } finally {
    await run?.close();
  }
}

/**
 * True when the journal says that everything was undone. Otherwise, and when it cannot be read, record and journal stay: the
 * next run or `uninstall` needs them.
 */
async function isUndone(journal: Journal): Promise<boolean> {
  const begun = await journal.read().then(
    (entries) => stepsBegun(entries),
    () => undefined,
  );
  const undoable = stepsIn(ENROLLMENT_PLAN).filter((step) => step.undo !== undefined);
  return begun !== undefined && !undoable.some(({ name }) => begun.includes(name));
}

/** For a person who has first to see to what could not be undone. */
const NOT_UNDONE = 'Not everything was undone. Run `kiwistack-enroll uninstall` to undo the rest.';

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
  if (slice?.state !== 'ended') return;
  const hint = 'Run `kiwistack-enroll uninstall`, then enroll again.';
  throw new KiwiError('device-ended', { detail: slice.endReason ?? 'the slice does not know it', hint });
}

/** @throws KiwiError the error of the first undo that failed */
async function finishUndo(run: KnownEnrollment, journal: Journal, report: (event: EnrollEvent) => void): Promise<void> {
  const errors: KiwiError[] = [];
  try {
    await undoPlan({
      steps: ENROLLMENT_PLAN,
      run,
      journal,
      clock: run.context.clock,
      report: (event) => {
        if (event.type === 'undo-failed') errors.push(event.error);
        report(event);
      },
    });
  } finally {
    await run.close();
  }
  if (errors[0] !== undefined) throw errors[0];
}
