import type { ErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { PlanEvent } from '../pipeline/run-plan.ts';
import { askOn, askSlice } from '../standing/ask-slice.ts';
import { renewCertificate, type RenewedCertificate } from '../standing/renew-certificate.ts';
import { openSliceLine } from '../standing/slice-line.ts';
import { forgetFarewell, takeLeave } from '../standing/take-leave.ts';
import type { RunState } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import { RevokedLists } from '../state/revoked-lists.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { EnrollmentOptions } from './enrollment-run.ts';
import { findKey } from './find-key.ts';
import { listed } from './find-traces.ts';
import { KnownEnrollment } from './known-enrollment.ts';
import { takeAway } from './uninstall.ts';

const ENROLL_AGAIN: ReadonlySet<ErrorCode> = new Set(['certificate-expired', 'touch-required']);
const WHILE_A_PERSON_WAITS = { retries: 3, patienceMs: 60_000 };

/** When the device certificate of an enrolled laptop expired; undefined while it is valid, and when there is none. */
export async function certificateExpiry(
  { platform, clock }: EnrollmentOptions,
  { slug }: EnrollmentRecord,
): Promise<Date | undefined> {
  const notAfter = (await platform.certificates.load(slug))?.leaf.notAfter;
  return notAfter !== undefined && notAfter.getTime() <= clock.now() ? notAfter : undefined;
}

/**
 * True when the customer has another key than the one that this laptop's certificate comes from: the root has taken back its intermediate, or
 * the slice signs under the next one. A refusal, which nobody signs, does not say it.
 */
export async function isReplaced(options: EnrollmentOptions, record: EnrollmentRecord): Promise<boolean> {
  const { platform, roots } = options;
  const own = (await platform.certificates.load(record.slug))?.intermediate;
  if (own === undefined) return false;
  const lists = await new RevokedLists(platform).load(roots);
  if (lists.some((list) => list.revokes(own))) return true;
  const line = await openSliceLine(options, record).catch(() => undefined);
  try {
    if (line !== undefined) await askOn(line, options).catch(() => undefined);
    const signedBy = line?.client.intermediate;
    return signedBy !== undefined && !signedBy.spki.equals(own.spki);
  } finally {
    await line?.close();
  }
}

/**
 * Renews the certificate of an enrollment where it has expired: no PIN, and everything stays.
 * @returns undefined when it is too old for the slice, or the slice wants a touch, so that this laptop has to enroll again
 * @throws KiwiError why it can be neither renewed nor given up: nothing was changed
 */
export async function renewExpired(
  { file }: RunState,
  context: LaptopContext,
  record: EnrollmentRecord,
): Promise<RenewedCertificate | undefined> {
  try {
    return await renewCertificate(context, file, record, { patience: WHILE_A_PERSON_WAITS });
  } catch (error) {
    if (error instanceof KiwiError && ENROLL_AGAIN.has(error.code)) return undefined;
    throw error;
  }
}

/**
 * Removes an enrollment whose certificate has expired, so that this laptop can enroll again: it was not renewed in time. Its
 * tunnel and its agent may still work. Therefore nothing is removed before a key is plugged in and the slice has answered,
 * without which enrolling again would fail; the answer also shows that the clock, by which the certificate has expired, is
 * about right.
 *
 * @throws KiwiError as `Token.find` and `askSlice`, `pin-locked`, and then nothing was changed; `enrollment-incomplete` when something could
 * not be removed
 */
export async function leaveExpired(
  { file, journal }: RunState,
  options: EnrollmentOptions,
  record: EnrollmentRecord,
  report: (event: PlanEvent) => void,
): Promise<void> {
  await options.platform.preflight.check();
  const token = await options.openToken();
  try {
    const key = await findKey(options, token);
    // With a locked PIN the new enrollment would fail, and this one would be lost.
    if ((await token.pinTries(key)).state === 'locked') throw new KiwiError('pin-locked');
  } finally {
    await token.close();
  }
  await askSlice(options, record);
  const run = new KnownEnrollment(options, file, record);
  try {
    const farewell = await takeLeave(run, 'uninstalled');
    const { leftBehind } = await takeAway({ run, file, journal, report, damaged: false });
    if (leftBehind.length > 0) {
      throw new KiwiError('enrollment-incomplete', { detail: `could not be removed: ${listed(leftBehind)}` });
    }
    if (farewell === 'told') await forgetFarewell(run);
  } finally {
    await run.close();
  }
}
