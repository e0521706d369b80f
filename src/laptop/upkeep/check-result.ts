import type { KiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { RenewedCertificate } from '../standing/renew-certificate.ts';
import type { FarewellOutcome } from '../standing/tell-farewells.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { TunnelCare } from './mend-tunnel.ts';

/** What a check found and did. */
export interface CheckResult {
  /** The deregistrations that were pending. */
  readonly farewells: readonly FarewellOutcome[];
  /** Absent when this laptop is not enrolled. */
  readonly enrollment?: {
    readonly record: EnrollmentRecord;
    readonly slice: DeviceStatus | KiwiError;
    /** What was found and mended at the tunnel; absent when the enrollment is not complete or has ended. */
    readonly tunnel?: TunnelCare;
    /** The certificate was due for renewal: the new one, or why there is none. */
    readonly renewal?: RenewedCertificate | KiwiError;
    /** The customer has released this laptop and the enrollment was removed; names what could not be removed. */
    readonly removed?: { readonly leftBehind: readonly string[] };
  };
  /** What is on the laptop of an enrollment that has no record, or that was only half removed. */
  readonly remains?: readonly string[];
}
