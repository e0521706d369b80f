import path from 'node:path';

import { KiwiError, toKiwiError } from '../core/errors.ts';
import { Journal } from '../pipeline/journal.ts';
import type { PlanEvent } from '../pipeline/run-plan.ts';
import type { DeviceStatus, EndReason } from '../protocol/device-messages.ts';
import { askSlice } from './ask-slice.ts';
import { removeIfEmpty } from './enroll.ts';
import { EnrollmentRun, type EnrollmentOptions } from './enrollment-run.ts';
import { RecordFile, type EnrollmentRecord } from './record.ts';
import { takeRunLock } from './run-lock.ts';
import { tellFarewells, type FarewellOutcome } from './tell-farewells.ts';
import { takeAway } from './uninstall.ts';

/**
 * Why a laptop takes its enrollment away by itself: an operator let it go, in so many words. Whatever else ended a device may be a
 * mistake, a theft or a copy's doing, and is only reported: a lost laptop must not lose the agent that could still lock it.
 */
const LET_GO: ReadonlySet<EndReason | null> = new Set(['offboarded', 'churn']);

export interface CheckResult {
  /** What waited to be told to a slice. */
  readonly farewells: readonly FarewellOutcome[];
  /** Absent when this laptop is not enrolled. */
  readonly enrollment?: {
    readonly record: EnrollmentRecord;
    readonly slice: DeviceStatus | KiwiError;
    /** The slice let this laptop go, and the enrollment was taken away; what could not be is named. */
    readonly removed?: { readonly leftBehind: readonly string[] };
  };
}

/**
 * What is to be done from time to time: tells a slice that this laptop has left, asks the slice about this laptop, and takes the
 * enrollment away when the customer has let it go. Repeated, it changes nothing more.
 *
 * @throws KiwiError `already-running`, `not-root`, `state-damaged`
 */
export async function check(options: EnrollmentOptions, report: (event: PlanEvent) => void): Promise<CheckResult> {
  const { platform, clock, pinnedRoots } = options;
  const { stateFolder } = platform;
  const lock = await takeRunLock(stateFolder);
  try {
    const farewells = await tellFarewells(platform, clock);
    const file = new RecordFile(stateFolder);
    const record = await file.load();
    if (record?.device === undefined) return { farewells };
    const slice = await askSlice(platform, clock, record, pinnedRoots).catch((error: unknown) => toKiwiError(error));
    if (slice instanceof KiwiError || slice.state !== 'ended' || !LET_GO.has(slice.endReason)) {
      return { farewells, enrollment: { record, slice } };
    }
    const journal = new Journal(path.join(stateFolder, 'journal.jsonl'));
    const run = new EnrollmentRun(options, file, record);
    const leftBehind = await takeAway({ run, file, journal, report, damaged: false }).finally(() => run.close());
    return { farewells, enrollment: { record, slice, removed: { leftBehind } } };
  } finally {
    await lock.release();
    await removeIfEmpty(stateFolder);
  }
}
