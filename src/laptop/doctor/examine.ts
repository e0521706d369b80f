import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { CheckOutcome } from '../checks/check.ts';
import { CHECKS } from '../checks/checks.ts';
import { enrollmentFacts } from '../checks/enrollment-facts.ts';
import { reasonOf } from '../checks/reason-of.ts';
import { runChecks, withNeeded } from '../checks/run-checks.ts';
import { findTraces, listed } from '../enrollment/find-traces.ts';
import { isHalfRemoved } from '../enrollment/half-removed.ts';
import { RecordFile, type EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';

export interface Examination {
  /** The enrollment, or why none is known. */
  readonly record: EnrollmentRecord | KiwiError;
  /** In the order of the list. */
  readonly outcomes: readonly CheckOutcome[];
  /** The failure that explains most, or that there is no enrollment; absent when there is none. There may be warnings. */
  readonly reason?: KiwiError;
}

/**
 * Carries out the checks. It changes nothing, and needs no root: what only root can see is then not known. Without an enrollment, the
 * checks of the laptop itself are carried out.
 *
 * @param codes only these checks, and those that they depend on
 * @throws KiwiError `usage` for a code that no check has
 */
export async function examine(context: LaptopContext, codes?: readonly string[]): Promise<Examination> {
  const unknown = codes?.find((code) => !CHECKS.some((check) => check.code === code));
  if (unknown !== undefined) {
    const hint = 'Run `kiwistack-enroll doctor` to see all of them.';
    throw new KiwiError('usage', { detail: `there is no check ${unknown}`, hint });
  }
  const record = await new RecordFile(context.platform.stateFolder)
    .load()
    .then(async (found) => found ?? (await unenrolled(context)), toKiwiError);
  const over = new AbortController();
  const signal = AbortSignal.any([context.signal, over.signal]);
  try {
    const checks = codes === undefined ? CHECKS : withNeeded(CHECKS, codes);
    const outcomes = await runChecks(
      checks,
      enrollmentFacts({ ...context, signal }, record, () => isHalfRemoved(context.platform.stateFolder)),
    );
    const reason = reasonOf(outcomes) ?? (record instanceof KiwiError && isUnenrolled(record) ? record : undefined);
    return { record, outcomes, ...(reason === undefined ? {} : { reason }) };
  } finally {
    over.abort();
  }
}

/** The laptop itself is examined all the same; `status` ends with the same code. */
export function isUnenrolled({ code }: KiwiError): boolean {
  return code === 'not-enrolled' || code === 'enrollment-incomplete';
}

async function unenrolled({ platform }: LaptopContext): Promise<KiwiError> {
  const { ours } = await findTraces(platform);
  return ours.length === 0
    ? new KiwiError('not-enrolled')
    : new KiwiError('enrollment-incomplete', { detail: `found: ${listed(ours)}` });
}
