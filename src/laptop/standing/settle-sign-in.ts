import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { Extensions } from '../../protocol/extensions.ts';
import { askForSignIn, followSignIn } from '../sign-in/follow-sign-in.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { askOn } from './ask-slice.ts';
import { openSliceLine, type SliceLine } from './slice-line.ts';

/** What a `status` asks about signing in; nothing where that is not wanted here. */
export async function signInQuestion(
  { platform }: LaptopContext,
  record: EnrollmentRecord,
): Promise<Extensions | undefined> {
  return record.signIn === true && record.state === 'active' ? askForSignIn(platform) : undefined;
}

/**
 * Follows what the slice has just said about signing in.
 * @returns why that failed: it is tried again by the next check
 */
export async function followSaid(
  { platform, log, signal }: LaptopContext,
  { slug }: EnrollmentRecord,
  line: SliceLine,
  slice: DeviceStatus,
): Promise<KiwiError | undefined> {
  try {
    const outcome = await followSignIn(platform, slice, { slug, deviceKey: line.device.key }, signal);
    if (outcome !== 'held') log?.write('info', 'sign-in', { outcome });
    return undefined;
  } catch (thrown) {
    const error = toKiwiError(thrown);
    log?.write('warning', 'sign-in', { code: error.code });
    return error;
  }
}

/**
 * Asks the slice about signing in, and does what it says.
 * @param again as if nothing were set up
 * @throws KiwiError `sign-in-failed`, or why the slice did not answer
 */
export async function settleSignIn(context: LaptopContext, record: EnrollmentRecord, again?: 'again'): Promise<void> {
  const line = await openSliceLine(context, record);
  try {
    const { platform } = context;
    if (again !== undefined) await platform.signIn.check();
    const answer = await askOn(line, context, { extensions: await askForSignIn(platform, again) });
    await followSignIn(platform, answer, { slug: record.slug, deviceKey: line.device.key }, context.signal);
  } finally {
    await line.close();
  }
}
