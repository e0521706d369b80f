import { DEVICE_CERTIFICATE_HOURS } from '../../protocol/common.ts';
import { FIRST_CERTIFICATE } from '../../protocol/renewal.ts';
import type { DeviceState } from './device-state.ts';

/** What the slice knows about the certificates of a device. */
export interface CertificateCounter {
  /** Number of the last one that was issued. */
  readonly issued: number;
  /**
   * Number of the last one that the laptop said it holds. It is lower than `issued` while the answers to renewals were lost,
   * or as long as the laptop has not used the newest one. Null after an operator has released the device: then the next
   * number that is said counts.
   */
  readonly acknowledged: number | null;
  /** The `timestamp` of the last request that got a certificate; 0 before the first. */
  readonly requestedAt: number;
  /** When two laptops were found to use it. No certificate is issued until an operator releases the device. */
  readonly copiedAt: number | null;
  /** When the last certificate ends. */
  readonly notAfter: number;
}

/** Of a device that has only the certificate of its enrollment. */
export const FIRST_COUNTER = {
  ...{ issued: FIRST_CERTIFICATE, acknowledged: FIRST_CERTIFICATE },
  ...{ requestedAt: 0, copiedAt: null },
} as const satisfies Omit<CertificateCounter, 'notAfter'>;

/** What the laptop says. */
export interface RenewalClaim {
  readonly held: number;
  /** The request's `timestamp`. */
  readonly at: number;
}

export interface RenewalRefusal {
  readonly refused:
    'device-unknown' | 'device-ended' | 'device-copied' | 'clock-skew' | 'certificate-expired' | 'touch-required';
  readonly why: string;
  /** The copy was not known before: this raises the alarm. */
  readonly discovered?: true;
}

/** The customer has another intermediate: of which devices a touch is asked before they get a certificate of it. */
export interface RekeyRule {
  readonly replacedAt: number;
  /** From now on devices that have none yet are refused. */
  readonly touchFrom: number;
}

/** The slice's rule; undefined while its intermediate was never replaced. */
export function rekeyRule(
  replacedAt: number | undefined,
  { by, hours }: { readonly by: 'itself' | 'touch'; readonly hours: number },
): RekeyRule | undefined {
  if (replacedAt === undefined) return undefined;
  return { replacedAt, touchFrom: by === 'touch' ? replacedAt : replacedAt + hours * 3_600_000 };
}

const LIFE_MS = DEVICE_CERTIFICATE_HOURS * 3_600_000;

/**
 * Whether a device's certificate is renewed.
 *
 * Every certificate that is issued gets a number of its own, also when the answer before it was lost. A laptop that gets
 * the answers to its requests therefore says either the last number that was issued, or, if that answer was lost, the last
 * one that it said before. Of two laptops with the same key, each gets numbers that the other one does not get, so that the
 * first one to renew a second time after the other one says a number that is neither. (If a lost answer were repeated under
 * the same number, two copies that take turns would never differ.)
 *
 * A request that is not younger than the last one is refused: delayed or replayed on the way, it would otherwise look like
 * the request of a copy.
 *
 * A number above the last one that was issued is accepted: only the slice gives numbers, so its registry was restored from an
 * older backup. A copy gains nothing from it, because the other laptop is then found to differ.
 *
 * @returns the number of the next certificate
 */
export function decideRenewal(
  state: DeviceState,
  counter: CertificateCounter,
  request: RenewalClaim & { readonly now: number; readonly graceMs: number; readonly rekey?: RekeyRule | undefined },
): { readonly number: number } | RenewalRefusal {
  const { held, at, now, graceMs } = request;
  const { issued, acknowledged, requestedAt, copiedAt, notAfter } = counter;
  if (state === 'ended') return { refused: 'device-ended', why: 'it has ended' };
  if (state !== 'active') return { refused: 'device-unknown', why: 'it has not confirmed its enrollment' };
  if (copiedAt !== null) return { refused: 'device-copied', why: 'it was not released yet' };
  if (at <= requestedAt) return { refused: 'clock-skew', why: 'not younger than the last request' };
  if (acknowledged !== null && held < issued && held !== acknowledged) {
    const why = `says certificate ${held}, but the last one was ${issued} and the last one in use ${acknowledged}`;
    return { refused: 'device-copied', why, discovered: true };
  }
  if (now > notAfter + graceMs) {
    return { refused: 'certificate-expired', why: `the last one ended at ${new Date(notAfter).toISOString()}` };
  }
  // By when its last certificate was issued: no certificate is issued while the intermediate is replaced.
  const { rekey } = request;
  if (rekey !== undefined && notAfter - LIFE_MS < rekey.replacedAt && now >= rekey.touchFrom) {
    return { refused: 'touch-required', why: 'its last certificate is of the intermediate that was replaced' };
  }
  return { number: Math.max(held, issued) + 1 };
}
