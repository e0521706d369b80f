import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { EndReason } from '../../protocol/device-messages.ts';
import { findTraces } from '../enrollment/find-traces.ts';
import { KnownEnrollment } from '../enrollment/known-enrollment.ts';
import { ENROLLMENT } from '../enrollment/plan.ts';
import { takeAway } from '../enrollment/uninstall.ts';
import type { CheckResult } from './check-result.ts';
import { tellOfCheck, tellOfFailure } from './tell-of-check.ts';
import { mendTunnel } from './mend-tunnel.ts';
import type { PlanEvent } from '../pipeline/run-plan.ts';
import { askOn } from '../standing/ask-slice.ts';
import { noteRevoked } from '../standing/note-revoked.ts';
import { noteSeen } from '../standing/note-seen.ts';
import { renewIfDue } from '../standing/renew-if-due.ts';
import { followSaid, signInQuestion } from '../standing/settle-sign-in.ts';
import { openSliceLine, withRevoked } from '../standing/slice-line.ts';
import { tellConsumers } from '../standing/tell-consumers.ts';
import { tellFarewells } from '../standing/tell-farewells.ts';
import { FarewellFile } from '../state/farewell.ts';
import { inStateFolder, type RunState } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import { SeenFile } from '../state/seen.ts';
import type { LaptopContext } from '../system/laptop-context.ts';

/**
 * The reasons for which a laptop removes its enrollment automatically: an operator has explicitly released it. Any other end
 * of a device may result from a mistake, a theft or a copy, and is only reported: a lost laptop must not lose the agent that
 * could still lock it.
 */
const LET_GO: ReadonlySet<EndReason | null> = new Set(['offboarded', 'churn']);

/**
 * Periodic work: sends pending deregistrations, asks the slice about this laptop, removes the enrollment when the customer has
 * released it, and otherwise renews the certificate, if that is due, and mends the tunnel. Repeated, it changes nothing more.
 *
 * @throws KiwiError `already-running`, `not-root`, `state-damaged`
 */
export async function check(context: LaptopContext, report: (event: PlanEvent) => void): Promise<CheckResult> {
  const { stateFolder } = context.platform;
  const seen = new SeenFile(stateFolder);
  return inStateFolder(
    stateFolder,
    ENROLLMENT,
    async (state) => {
      const before = (await seen.load()).told;
      const result = await checkIn(context, state, seen, report);
      await tellOfCheck(context, seen, before, result);
      return result;
    },
    context,
  ).catch(async (thrown: unknown) => {
    const error = toKiwiError(thrown);
    await tellOfFailure(context, seen, error);
    throw error;
  });
}

async function checkIn(
  context: LaptopContext,
  { file, journal }: RunState,
  seen: SeenFile,
  report: (event: PlanEvent) => void,
): Promise<CheckResult> {
  const { platform } = context;
  const record = await file.load();
  const device = record?.device;
  const takeAll = async (of: EnrollmentRecord): Promise<{ leftBehind: readonly string[] }> => {
    const run = new KnownEnrollment(context, file, of);
    return takeAway({ run, file, journal, report, damaged: false }).finally(() => run.close());
  };
  const waiting = await new FarewellFile(platform.stateFolder).load();
  // An interrupted uninstallation is finished before its pending deregistration is sent and removed.
  const leaving = waiting.some(({ deviceId }) => deviceId === device?.deviceId);
  if (record !== undefined && leaving) {
    const { leftBehind } = await takeAll(record);
    // The pending deregistration stays too: it is what makes the next check go on.
    if (leftBehind.length > 0) return { farewells: [], remains: leftBehind };
  }
  const farewells = await tellFarewells(context);
  if (record === undefined) {
    const { ours } = await findTraces(platform);
    if (ours.length === 0) await seen.remove();
    return ours.length === 0 ? { farewells } : { farewells, remains: ours };
  }
  if (device === undefined || leaving) return { farewells };
  const line = await openSliceLine(context, record).catch((error: unknown) => toKiwiError(error));
  try {
    const extensions = await signInQuestion(context, record).catch(() => undefined);
    const slice = line instanceof KiwiError ? line : await askOn(line, context, { extensions }).catch(toKiwiError);
    if (!(slice instanceof KiwiError) && slice.state === 'ended' && LET_GO.has(slice.endReason)) {
      return { farewells, enrollment: { record, slice, removed: await takeAll(record) } };
    }
    const { lists, isOwn } = await noteRevoked(context, record.slug, slice);
    const renewing =
      line instanceof KiwiError ? { isRevoked: isOwn } : { isRevoked: isOwn, line: withRevoked(line, lists) };
    // The peer of an ended device is gone.
    const ours = record.state === 'active' && (slice instanceof KiwiError || slice.state === 'active');
    // At once: a slice may put a renewal off for minutes, and the tunnel needs no certificate.
    const [renewal, tunnel] = await Promise.all([
      renewIfDue(context, file, record, renewing),
      ours ? mendTunnel(context, record, { slice }) : undefined,
    ]);
    // After the renewal: SSSD is to begin with the new certificate.
    const says = ours && extensions !== undefined && !(line instanceof KiwiError) && !(slice instanceof KiwiError);
    const signIn = says ? await followSaid(context, record, line, slice) : undefined;
    await tellConsumers(context, file);
    await noteSeen(context, seen, { slice, renewal, ...(says ? { signIn } : {}) });
    const did = { ...(renewal === undefined ? {} : { renewal }), ...(tunnel === undefined ? {} : { tunnel }) };
    return { farewells, enrollment: { record, slice, ...did } };
  } finally {
    if (!(line instanceof KiwiError)) await line.close();
  }
}
