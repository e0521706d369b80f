import type { ErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Notice } from '../system/desktop.ts';
import type { CheckResult } from './check-result.ts';

/** What only a person can mend. Everything else is mended by a later check, or by somebody else, and is no matter for a notice. */
export type Matter =
  | 'connect'
  | 'enroll-again'
  | 'ended'
  | 'hardware-changed'
  | 'copied'
  | 'clock'
  | 'update'
  | 'half-removed'
  | 'key-gone'
  | 'tpm';

const DAY_MS = 86_400_000;
/** A laptop that is offline is nobody's matter, until so little is left of the time in which its certificate can be renewed late. */
const CONNECT_WITHIN = 0.5;

const OF_CODE: Partial<Record<ErrorCode, Matter>> = {
  'certificate-expired': 'enroll-again',
  'device-copied': 'copied',
  'clock-skew': 'clock',
  'gateway-tls-dates': 'clock',
  'agent-too-old': 'update',
  'protocol-unsupported': 'update',
  'tpm-key-gone': 'key-gone',
  'tpm-missing': 'tpm',
  'tpm-owned': 'tpm',
};

/** Who may need to hear of a check, and when nothing is known of a matter. */
export interface Matters {
  readonly now: ReadonlySet<Matter>;
  /** What was told before stays: nobody could be asked whether it is over. */
  readonly unknown: ReadonlySet<Matter>;
}

/**
 * The matters of a check.
 * @param renewableUntil until when the certificate can be renewed, milliseconds; undefined when that is not known
 */
export function mattersOf(
  { enrollment, remains }: CheckResult,
  at: {
    readonly now: number;
    readonly certificateEnds?: number | undefined;
    readonly offlineDays?: number | undefined;
  },
): Matters {
  const matters = new Set<Matter>();
  if (remains !== undefined || (enrollment?.removed?.leftBehind.length ?? 0) > 0) matters.add('half-removed');
  if (enrollment === undefined || enrollment.removed !== undefined) return { now: matters, unknown: new Set() };
  const { slice, renewal } = enrollment;
  for (const error of [slice, renewal]) {
    const matter = error instanceof KiwiError ? OF_CODE[error.code] : undefined;
    if (matter !== undefined) matters.add(matter);
  }
  if (slice instanceof KiwiError) {
    // The record says that the laptop is enrolled, and there is no key to ask with.
    if (slice.code === 'not-enrolled' && enrollment.record.state === 'active') matters.add('key-gone');
    if (slice.retryable && mustConnect(at)) matters.add('connect');
    const heard =
      matters.has('key-gone') || matters.has('tpm') ? [] : (['ended', 'hardware-changed', 'copied'] as const);
    return { now: matters, unknown: new Set(heard.filter((matter) => !matters.has(matter))) };
  }
  if (slice.hardware === 'changed') matters.add('hardware-changed');
  if (slice.hardware === 'seen-elsewhere') matters.add('copied');
  if (slice.state === 'ended') matters.add('ended');
  // A renewal that is not due yet does not say whether the slice still refuses it.
  return { now: matters, unknown: new Set(renewal === undefined ? (['enroll-again'] as const) : []) };
}

function mustConnect(at: Parameters<typeof mattersOf>[1]): boolean {
  if (at.certificateEnds === undefined || at.offlineDays === undefined) return false;
  const grace = at.offlineDays * DAY_MS;
  const left = at.certificateEnds + grace - at.now;
  return left > 0 && left < Math.max(grace * CONNECT_WITHIN, Math.min(DAY_MS, grace));
}

/** What a person is told: what to do, in a sentence or two, with nothing in it from elsewhere. */
export const NOTICES: Readonly<Record<Matter, Notice>> = {
  connect: {
    title: 'Connect this laptop to the internet',
    body: 'It has not reached your organisation for days. Soon it would have to be enrolled again with your YubiKey.',
  },
  'enroll-again': {
    title: 'Enroll this laptop again',
    body: 'It was offline for too long. Plug in your YubiKey and run: sudo kiwistack-enroll enroll',
  },
  ended: {
    title: "This laptop's enrollment has ended",
    body: 'Your organisation no longer accepts it. Ask your operator. What happened is shown by: sudo kiwistack-enroll status',
  },
  'hardware-changed': {
    title: 'This laptop has other hardware than it was enrolled with',
    body: 'Tell your operator: the mainboard was replaced, or the disk was copied.',
  },
  copied: {
    title: 'A copy of this laptop is in use',
    body: 'Tell your operator: its disk may have been copied, or restored from a backup.',
  },
  clock: {
    title: "This laptop's clock is wrong",
    body: 'Set date and time, or turn on network time.',
  },
  update: {
    title: 'Update kiwistack-enroll',
    body: 'Your organisation no longer accepts the version on this laptop.',
  },
  'half-removed': {
    title: 'Part of an enrollment is left on this laptop',
    body: 'Remove it with: sudo kiwistack-enroll uninstall',
  },
  'key-gone': {
    title: 'The key of this laptop is gone',
    body: 'Ask your operator. What is missing is shown by: sudo kiwistack-enroll status',
  },
  tpm: {
    title: 'The TPM of this laptop does not let its key be used',
    body: 'It may be switched off in the firmware, or have a password. More is shown by: sudo kiwistack-enroll status',
  },
};
