import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { renewed } from '../../protocol/renewal.ts';
import { checkDeviceCertificate, type DeviceCertificateExpectation } from './check-device-certificate.ts';
import { openSliceAnswer, type AskedOfSlice } from './open-slice-answer.ts';

/**
 * How far a number may be above the one that is held: more answers than that are not lost. Whoever stole the slice's keys could otherwise
 * give the highest number that there is, after which no slice could renew this laptop's certificate again.
 */
const MOST_AHEAD = 100_000;

/** What was requested; the answer is compared with it. */
export interface RenewalExpectation extends Omit<
  DeviceCertificateExpectation,
  'deviceId' | 'intermediate' | 'roots' | 'now'
> {
  /** Number of the certificate that the laptop holds. */
  readonly held: number;
}

/** A new certificate that passed every check. */
export interface CheckedRenewal {
  readonly number: number;
  readonly leaf: Certificate;
  readonly intermediate: Certificate;
  readonly root: Certificate;
  /** RFC 3339. */
  readonly renewAfter: string;
}

/**
 * Opens the slice's answer to a renewal, and checks the new certificate by the rules for that of a grant.
 *
 * @returns the certificate, and the slice's clock minus ours in milliseconds
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `clock-skew`, `renewal-invalid`
 */
export function openRenewed(
  answer: string,
  asked: AskedOfSlice,
  expected: RenewalExpectation,
): { renewal: CheckedRenewal; skewMs: number } {
  const form = { typ: TYP.renewed, schema: renewed, maxBytes: LIMITS.renewed };
  const { message, skewMs, intermediate } = openSliceAnswer(answer, form, asked);
  const { number, certificate, serverTime } = message;
  if (number <= expected.held || number > expected.held + MOST_AHEAD) refuse('the number of the certificate');
  const { deviceId, slice } = asked;
  const { leaf, root } = checkDeviceCertificate(
    certificate,
    { ...expected, deviceId, intermediate, roots: slice.roots, now: new Date(serverTime) },
    refuse,
  );
  return { renewal: { number, leaf, intermediate, root, renewAfter: certificate.renewAfter }, skewMs };
}

function refuse(detail: string, cause?: unknown): never {
  throw new KiwiError('renewal-invalid', { detail, ...(cause === undefined ? {} : { cause }) });
}
