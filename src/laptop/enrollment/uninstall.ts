import { KiwiError } from '../../core/errors.ts';
import { slug } from '../../protocol/common.ts';
import type { Journal, JournalEntry } from '../pipeline/journal.ts';
import { undoPlan, type PlanEvent } from '../pipeline/run-plan.ts';
import { forgetFarewell, noteTold, takeLeave } from '../standing/take-leave.ts';
import { tellFarewells } from '../standing/tell-farewells.ts';
import { inStateFolder, type RunState } from '../state/in-state-folder.ts';
import { SeenFile } from '../state/seen.ts';
import { NewestRelease } from '../state/newest-release.ts';
import { rebuiltRecord, type EnrollmentRecord, type RecordFile } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { findTraces, listed, type Traces } from './find-traces.ts';
import { KnownEnrollment } from './known-enrollment.ts';
import { ENROLLMENT, LOCAL_PLAN } from './plan.ts';
import { deviceKey } from './steps/device-key.ts';

export interface UninstallResult {
  /** Undefined when only traces were left, none of which names it. */
  readonly customer: string | undefined;
  /**
   * Whether the slice has confirmed the deregistration. `kept`: it could not be told; the deregistration is pending and is
   * sent by a later `check` or `enroll`. `untold`: the deregistration could not be signed or saved, and the device stays
   * listed at the slice until an operator ends it.
   */
  readonly farewell: 'told' | 'kept' | 'untold';
  /** Steps whose undo failed, and what is still there although none failed. */
  readonly leftBehind: readonly string[];
  /** What looks like ours and may be somebody else's: it was left as it is. */
  readonly unsure: readonly string[];
}

/**
 * Removes the enrollment: deregisters at the slice first, while there is a key to sign with, then undoes every step that the
 * journal or the system itself shows. If the slice cannot be told, the signed deregistration stays pending on disk; nothing
 * else stays. A record or journal that is lost or damaged does not prevent it.
 * @throws KiwiError `not-enrolled`, `not-root`, `already-running`
 */
export async function uninstall(context: LaptopContext, report: (event: PlanEvent) => void): Promise<UninstallResult> {
  return inStateFolder(
    context.platform.stateFolder,
    ENROLLMENT,
    (state) => uninstallIn(state, context, report),
    context,
  );
}

async function uninstallIn(
  { file, journal }: RunState,
  context: LaptopContext,
  report: (event: PlanEvent) => void,
): Promise<UninstallResult> {
  await readIfAny(journal); // throws for another plan's journal, before the slice is told
  const loaded = await loadOrSalvage(file);
  const traces = await findTraces(context.platform);
  const record = loaded.record ?? recordIn(traces);
  if (record === undefined && !loaded.damaged && traces.ours.length === 0) {
    // An uninstallation that was interrupted at its very end may have left these.
    await new SeenFile(context.platform.stateFolder).remove();
    await new NewestRelease(context.platform.stateFolder).remove();
    await journal.remove();
    await tellFarewells(context);
    throw new KiwiError(
      'not-enrolled',
      traces.unsure.length === 0 ? {} : { detail: `not ours: ${listed(traces.unsure)}` },
    );
  }
  const run = new KnownEnrollment(context, file, record);
  try {
    // A record without a device was never granted one; where the record is lost, that is not known.
    const known = loaded.record !== undefined && !loaded.damaged;
    const without = known ? 'told' : 'untold';
    const farewell = record?.device === undefined ? without : await takeLeave(run, 'uninstalled');
    const { leftBehind, unsure } = await takeAway({ run, file, journal, report, damaged: loaded.damaged });
    if (farewell === 'told' && record !== undefined)
      await (leftBehind.length === 0 ? forgetFarewell(run) : noteTold(run));
    return { customer: record?.customer, farewell, leftBehind, unsure };
  } finally {
    await run.close();
  }
}

/**
 * Undoes every step and finally removes the record. Does not deregister: that is left to the caller. If anything could not
 * be undone, or is still found, the record stays for another attempt.
 */
export async function takeAway(input: {
  readonly run: KnownEnrollment;
  readonly file: RecordFile;
  readonly journal: Journal;
  readonly report: (event: PlanEvent) => void;
  /** The record is damaged, so the journal is not relied on either: every step is undone. */
  readonly damaged: boolean;
}): Promise<Pick<UninstallResult, 'leftBehind' | 'unsure'>> {
  const { run, file, journal, report } = input;
  const { platform, recordIfAny: record } = run;
  const { clock } = run.context;
  const entries = await readIfAny(journal);
  const unread = entries === undefined;
  if (unread) await journal.remove();
  const also = new Set((await findTraces(platform)).steps);
  // The hello commits to the device key, so it is ours from then on, if a lost journal does not know of it.
  const journalKnowsKey = entries?.some((entry) => 'step' in entry && entry.step === deviceKey.name) === true;
  if (!journalKnowsKey && (record?.exchange !== undefined || record?.device !== undefined)) also.add(deviceKey.name);
  const everything = input.damaged || unread;
  const failed = await undoPlan({ steps: LOCAL_PLAN, run, journal, clock, report, everything, also });
  const { ours, unsure } = await findTraces(platform);
  const leftBehind = failed.length > 0 ? failed : ours;
  if (leftBehind.length === 0) {
    await file.remove();
    await new SeenFile(platform.stateFolder).remove();
    await new NewestRelease(platform.stateFolder).remove();
    await journal.remove();
  }
  return { leftBehind, unsure };
}

/** Undefined when it cannot be read. @throws KiwiError `other-plan-begun` */
async function readIfAny(journal: Journal): Promise<JournalEntry[] | undefined> {
  return journal.read().catch((error: unknown) => {
    if (error instanceof KiwiError && error.code === 'other-plan-begun') throw error;
    return undefined;
  });
}

/** What the certificate says of an enrollment whose record is lost. */
function recordIn({ certificates }: Traces): EnrollmentRecord | undefined {
  const [named] = certificates.filter(({ device }) => device !== undefined);
  const { name, device } = named ?? certificates.find((file) => file.name !== undefined) ?? {};
  const known = slug.safeParse(name);
  if (!known.success) return undefined;
  const gatewayUrl = device?.gatewayUrl;
  return rebuiltRecord(
    known.data,
    device === undefined || gatewayUrl === undefined ? undefined : { ...device, gatewayUrl },
  );
}

/** Removing an enrollment must not fail because its record cannot be read. */
async function loadOrSalvage(file: RecordFile): Promise<{ record: EnrollmentRecord | undefined; damaged: boolean }> {
  try {
    return { record: await file.load(), damaged: false };
  } catch (error) {
    if (!(error instanceof KiwiError) || error.code !== 'state-damaged') throw error;
    return { record: await file.salvage(), damaged: true };
  }
}
