import { createHash } from 'node:crypto';

import type { Certificate } from '../../pki/certificate.ts';
import { FIRST_CERTIFICATE } from '../../protocol/renewal.ts';
import type { EnrollmentRecord } from '../state/record.ts';

/** The last part of the time between `renewAfter` and the end, over which a customer's laptops are spread: 45 minutes of 12 hours. */
const SPREAD = 1 / 16;
/** A renewal that is due is tried every hour. Two tries may fail before anybody needs to know. */
const OVERDUE_MS = 2.5 * 3_600_000;

/** The certificate that a laptop holds, and when it is renewed: by the wall clock, because a laptop sleeps. */
export interface RenewalSchedule {
  readonly number: number;
  readonly notAfter: Date;
  /** From now on `check` renews it. */
  readonly due: Date;
  /** From now on something is in the way. */
  readonly overdue: Date;
}

/**
 * When the certificate is renewed: at the slice's `renewAfter` and a part of the spread. That part is always the same for a
 * device, so that laptops that were enrolled at the same time do not all ask at the same time for ever.
 *
 * @param leaf the stored certificate
 */
export function renewalSchedule(
  { deviceId, certificate }: NonNullable<EnrollmentRecord['device']>,
  leaf: Certificate,
): RenewalSchedule {
  const [begin, end] = [leaf.notBefore.getTime(), leaf.notAfter.getTime()];
  const said = certificate === undefined ? Number.NaN : Date.parse(certificate.renewAfter);
  // A crash between the two files may leave the record of the certificate before: the middle of the life is always right.
  const renewAfter = said >= begin && said < end ? said : (begin + end) / 2;
  const due = renewAfter + (end - renewAfter) * SPREAD * fractionOf(deviceId);
  return {
    number: certificate?.number ?? FIRST_CERTIFICATE,
    notAfter: leaf.notAfter,
    due: new Date(due),
    overdue: new Date(due + OVERDUE_MS),
  };
}

/** A number from 0 to 1, evenly spread over devices. */
function fractionOf(deviceId: string): number {
  return createHash('sha256').update(deviceId).digest().readUInt32BE() / 2 ** 32;
}
