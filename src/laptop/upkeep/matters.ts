import type { ErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Notice } from '../system/desktop.ts';
import type { CheckResult } from './check-result.ts';

/** What only a person can mend. Everything else is mended by a later check, or by somebody else, and is no matter for a notice. */
export type Matter =
  | 'connect'
  | 'enroll-again'
  | 'rekey'
  | 'ended'
  | 'refused'
  | 'hardware-changed'
  | 'copied'
  | 'clock'
  | 'update'
  | 'half-removed'
  | 'key-gone'
  | 'tpm'
  | 'disk';

const DAY_MS = 86_400_000;
/** A laptop that is offline is nobody's matter, until so little is left of the time in which its certificate can be renewed late. */
const CONNECT_WITHIN = 0.5;

const OF_CODE: Partial<Record<ErrorCode, Matter>> = {
  'certificate-expired': 'enroll-again',
  'touch-required': 'rekey',
  'slice-revoked': 'refused',
  'device-copied': 'copied',
  // A renewal says it first where the device was ended between the two questions, or the slice's answer got lost.
  'device-ended': 'ended',
  'device-unknown': 'ended',
  'device-signature-refused': 'refused',
  'clock-skew': 'clock',
  'gateway-tls-dates': 'clock',
  'agent-too-old': 'update',
  'protocol-unsupported': 'update',
  'tpm-key-gone': 'key-gone',
  'tpm-missing': 'tpm',
  'tpm-owned': 'tpm',
  'disk-full': 'disk',
  'read-only-file-system': 'disk',
};

/** Somebody other than the slice answered, or kept the question from it: another network helps, as with no answer at all. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set(['gateway-answer-invalid', 'proxy-authentication', 'proxy-refused']);

/** Over only when the slice has answered, or a renewal has got as far again. */
const HEARD: readonly Matter[] = [
  ...(['ended', 'refused', 'hardware-changed', 'copied', 'enroll-again', 'rekey', 'update', 'clock', 'disk'] as const),
];

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
    if ((slice.retryable || ELSEWHERE.has(slice.code)) && mustConnect(at)) matters.add('connect');
    const heard = matters.has('key-gone') || matters.has('tpm') ? [] : HEARD;
    return { now: matters, unknown: new Set(heard.filter((matter) => !matters.has(matter))) };
  }
  if (slice.hardware === 'changed') matters.add('hardware-changed');
  if (slice.hardware === 'seen-elsewhere') matters.add('copied');
  if (slice.state === 'ended') matters.add('ended');
  // A renewal that is not due yet does not say whether the slice still refuses it, and one that failed not whether it could be written.
  const unknown: Matter[] =
    renewal === undefined ? ['enroll-again', 'rekey'] : renewal instanceof KiwiError ? ['disk'] : [];
  return { now: matters, unknown: new Set(unknown.filter((matter) => !matters.has(matter))) };
}

/** Of a check that could not even begin. Nothing is known of anything else. */
export function mattersOfFailure({ code }: KiwiError): Matters | undefined {
  return OF_CODE[code] === 'disk' ? { now: new Set(['disk']), unknown: new Set([...HEARD, 'connect']) } : undefined;
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
  rekey: {
    title: 'Enroll this laptop again with your YubiKey',
    body: 'Your organisation has new keys. Have your YubiKey renewed by your operator, plug it in and run: sudo kiwistack-enroll enroll',
  },
  ended: {
    title: "This laptop's enrollment has ended",
    body: 'Your organisation no longer accepts it. Ask your operator. What happened is shown by: sudo kiwistack-enroll status',
  },
  refused: {
    title: 'Your organisation does not recognise this laptop',
    body: 'It does not accept the key of this laptop. Ask your operator. More is shown by: sudo kiwistack-enroll status',
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
  disk: {
    title: 'The disk of this laptop is full or cannot be written to',
    body: 'Its certificate cannot be renewed. Remove files that you do not need; if there is room, restart the laptop.',
  },
};
