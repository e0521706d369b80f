import { KiwiError } from '../../core/errors.ts';
import type { Journal } from '../pipeline/journal.ts';
import { undoPlan, type PlanEvent } from '../pipeline/run-plan.ts';
import { forgetFarewell, takeLeave } from '../standing/take-leave.ts';
import { tellFarewells } from '../standing/tell-farewells.ts';
import { inStateFolder, type RunState } from '../state/in-state-folder.ts';
import type { EnrollmentRecord, RecordFile } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { KnownEnrollment } from './known-enrollment.ts';
import { ENROLLMENT, LOCAL_PLAN } from './plan.ts';

export interface UninstallResult {
  readonly record: EnrollmentRecord;
  /**
   * Whether the slice has confirmed the deregistration. `kept`: it could not be told; the deregistration is pending and is
   * sent by a later `check` or `enroll`. `untold`: the deregistration could not be signed or saved, and the device stays
   * listed at the slice until an operator ends it.
   */
  readonly farewell: 'told' | 'kept' | 'untold';
  /** Steps whose undo failed; what they created is still there. */
  readonly leftBehind: readonly string[];
}

/**
 * Removes the enrollment: deregisters at the slice first, while there is a key to sign with, then undoes every step. If the
 * slice cannot be told, the signed deregistration stays pending on disk; nothing else stays.
 * @throws KiwiError `not-enrolled`, `not-root`, `already-running`
 */
export async function uninstall(context: LaptopContext, report: (event: PlanEvent) => void): Promise<UninstallResult> {
  return inStateFolder(context.platform.stateFolder, ENROLLMENT, (state) => uninstallIn(state, context, report));
}

async function uninstallIn(
  { file, journal }: RunState,
  context: LaptopContext,
  report: (event: PlanEvent) => void,
): Promise<UninstallResult> {
  let run: KnownEnrollment | undefined;
  try {
    await journal.read(); // throws for another plan's journal, before the slice is told
    const loaded = await loadOrSalvage(file);
    if (loaded === undefined) {
      // An uninstallation that was interrupted at its very end may have left these.
      await journal.remove();
      await tellFarewells(context);
      throw new KiwiError('not-enrolled');
    }
    const { record, damaged } = loaded;
    run = new KnownEnrollment(context, file, record);
    const farewell = record.device === undefined ? 'told' : await takeLeave(run, 'uninstalled');
    const leftBehind = await takeAway({ run, file, journal, report, damaged });
    if (leftBehind.length === 0 && farewell === 'told') await forgetFarewell(run);
    return { record, farewell, leftBehind };
  } finally {
    await run?.close();
  }
}

/**
 * Undoes every step and finally removes the record. Does not deregister: that is left to the caller.
 * @returns the names of the steps whose undo failed; the record then stays for another attempt
 */
export async function takeAway(input: {
  readonly run: KnownEnrollment;
  readonly file: RecordFile;
  readonly journal: Journal;
  readonly report: (event: PlanEvent) => void;
  /** The record is damaged, so the journal is not relied on either: every step is undone. */
  readonly damaged: boolean;
}): Promise<readonly string[]> {
  const { run, file, journal, report, damaged } = input;
  const { clock } = run.context;
  const leftBehind = await undoPlan({ steps: LOCAL_PLAN, run, journal, clock, report, everything: damaged });
  if (leftBehind.length === 0) {
    await file.remove();
    await journal.remove();
  }
  return leftBehind;
}

/** Removing an enrollment must not fail because its record cannot be read. */
async function loadOrSalvage(file: RecordFile): Promise<{ record: EnrollmentRecord; damaged: boolean } | undefined> {
  try {
    const record = await file.load();
    return record === undefined ? undefined : { record, damaged: false };
  } catch (error) {
    if (!(error instanceof KiwiError) || error.code !== 'state-damaged') throw error;
    const record = await file.salvage();
    if (record === undefined) throw error;
    return { record, damaged: true };
  }
}
