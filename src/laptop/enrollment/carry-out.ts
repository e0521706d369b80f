import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { stepsBegun, undoWasBegun, type Journal } from '../pipeline/journal.ts';
import { runPlan, stepsIn, undoPlan, type PlanEvent, type PlanResult } from '../pipeline/run-plan.ts';
import { tellFarewells, type FarewellOutcome } from '../standing/tell-farewells.ts';
import type { RunState } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import { EnrollmentRun, type ClaimOptions, type EnrollmentOptions, type EnrollmentPlan } from './enrollment-run.ts';
import { findTraces, listed } from './find-traces.ts';
import { KnownEnrollment } from './known-enrollment.ts';
import { planOf } from './plan.ts';
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

/** What is on record afterwards; while it waits, there may be nothing yet. */
export type CarriedOut =
  { readonly state: 'done'; readonly record: EnrollmentRecord } | Extract<PlanResult, { state: 'waiting' }>;

interface Work {
  readonly options: EnrollmentOptions | ClaimOptions;
  readonly state: RunState;
  readonly report: (event: EnrollEvent) => void;
}

/**
 * Carries out a plan, or goes on with the run on record. What an earlier enrollment has left is looked for first, and its slice is told.
 * When the plan fails, all of it is undone.
 *
 * @throws KiwiError `enrollment-incomplete`; the reason for the failure, after the undo
 */
export async function carryOut(
  plan: EnrollmentPlan,
  before: EnrollmentRecord | undefined,
  { options, state: { file, journal }, report }: Work,
): Promise<CarriedOut> {
  if (before === undefined) {
    const { ours } = await findTraces(options.platform);
    if (ours.length > 0) throw new KiwiError('enrollment-incomplete', { detail: `found: ${listed(ours)}` });
  } else if (planOf(before) !== plan) {
    throw new KiwiError('enrollment-incomplete', {
      detail: `it was begun with ${before.claim ? 'a token' : 'a YubiKey'}`,
    });
  }
  // Otherwise the slice may refuse this laptop as already registered.
  const outcomes = await tellFarewells(options).catch(() => []);
  for (const outcome of outcomes) report({ type: 'farewell', ...outcome });
  if (before !== undefined) report({ type: 'resumed', startedAt: before.startedAt });
  const { clock, signal } = options;
  const failed = new AbortController();
  // The steps observe both: the person's request to stop, and the failure of a step in another lane.
  const run = new EnrollmentRun({ ...options, signal: AbortSignal.any([signal, failed.signal]) }, file, before);
  try {
    const pause = 'bootstrap' in options ? options.pause : undefined;
    const result = await runPlan({ steps: plan, run, journal, clock, signal, failed, pause, report });
    return result.state === 'waiting' ? result : { state: 'done', record: run.record };
  } catch (error) {
    // What the journal does not know of any more is found on the system.
    const left = (await isUndone(plan, journal))
      ? (await takeAway({ run, file, journal, report, damaged: false })).leftBehind.length > 0
      : true;
    throw left ? toKiwiError(error).with({ hint: NOT_UNDONE }) : error;
  } finally {
    await run.close();
  }
}

/**
 * Finishes an undo in which an earlier run was interrupted. @returns the record that there is afterwards
 * @throws KiwiError the error of the first undo that failed
 */
export async function withoutHalfUndone(
  record: EnrollmentRecord | undefined,
  { options, state: { file, journal }, report }: Work,
): Promise<EnrollmentRecord | undefined> {
  if (!undoWasBegun(await journal.read())) return record;
  report({ type: 'undo-resumed' });
  if (record !== undefined) await finishUndo(new KnownEnrollment(options, file, record), journal, report);
  await file.remove();
  await journal.remove();
  return undefined;
}

/**
 * True when the journal says that everything was undone. Otherwise, and when it cannot be read, record and journal stay: the
 * next run or `uninstall` needs them.
 */
async function isUndone(plan: EnrollmentPlan, journal: Journal): Promise<boolean> {
  const begun = await journal.read().then(
    (entries) => stepsBegun(entries),
    () => undefined,
  );
  const undoable = stepsIn(plan).filter((step) => step.undo !== undefined);
  return begun !== undefined && !undoable.some(({ name }) => begun.includes(name));
}

/** For a person who has first to see to what could not be undone. */
const NOT_UNDONE = 'Not everything was undone. Run `kiwistack-enroll uninstall` to undo the rest.';

/** @throws KiwiError the error of the first undo that failed */
async function finishUndo(run: KnownEnrollment, journal: Journal, report: (event: EnrollEvent) => void): Promise<void> {
  const errors: KiwiError[] = [];
  try {
    await undoPlan({
      steps: planOf(run.recordIfAny),
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
