import path from 'node:path';

import { KiwiError } from '../core/errors.ts';
import { Journal } from '../pipeline/journal.ts';
import { stepsIn, undoPlan, type PlanEvent } from '../pipeline/run-plan.ts';
import { removeIfEmpty } from './enroll.ts';
import { EnrollmentRun, type EnrollmentOptions } from './enrollment-run.ts';
import { ENROLLMENT_PLAN } from './plan.ts';
import { RecordFile, type EnrollmentRecord } from './record.ts';
import { takeRunLock } from './run-lock.ts';

export interface UninstallResult {
  readonly record: EnrollmentRecord;
  /** False when the slice could not be told: the device then stays listed there until an operator ends it. */
  readonly sliceTold: boolean;
  /** Steps whose undo failed; what they made is still there. */
  readonly leftBehind: readonly string[];
}

/**
 * Takes the enrollment away: tells the slice first, while there is a key to sign with, then undoes every step.
 * @throws KiwiError `not-enrolled`, `not-root`, `already-running`
 */
export async function uninstall(
  options: EnrollmentOptions,
  report: (event: PlanEvent) => void,
): Promise<UninstallResult> {
  const { stateFolder } = options.platform;
  const file = new RecordFile(stateFolder);
  const { record, damaged } = await loadOrSalvage(file);
  const lock = await takeRunLock(stateFolder);
  const journal = new Journal(path.join(stateFolder, 'journal.jsonl'));
  const run = new EnrollmentRun(options, file, record);
  try {
    const sliceTold = !damaged && (await tellSlice(run));
    // The slice has been told, or cannot be: the statement's undo, which takes leave, has nothing more to say.
    const steps = stepsIn(ENROLLMENT_PLAN).filter((step) => step.name !== 'statement');
    const leftBehind = await undoPlan({ steps, run, journal, clock: options.clock, report, everything: damaged });
    if (leftBehind.length === 0) {
      await file.remove();
      await journal.remove();
    }
    return { record, sliceTold, leftBehind };
  } finally {
    await run.close();
    await lock.release();
    await removeIfEmpty(stateFolder);
  }
}

/** Being rid of an enrollment must not fail because its record cannot be read. */
async function loadOrSalvage(file: RecordFile): Promise<{ record: EnrollmentRecord; damaged: boolean }> {
  try {
    const record = await file.load();
    if (record === undefined) throw new KiwiError('not-enrolled');
    return { record, damaged: false };
  } catch (error) {
    if (!(error instanceof KiwiError) || error.code !== 'state-damaged') throw error;
    const record = await file.salvage();
    if (record === undefined) throw error;
    return { record, damaged: true };
  }
}

async function tellSlice(run: EnrollmentRun): Promise<boolean> {
  if (run.record.device === undefined) return true;
  try {
    const client = await run.client();
    return (await client.leave(await run.device(), 'uninstalled', AbortSignal.timeout(20_000))).state === 'ended';
  } catch {
    return false; // refusals are not signed: what counts is that the slice itself says that it ended
  }
}
