import type { Certificate } from '../../pki/certificate.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { deviceStatus, type DeviceStatus } from '../../protocol/device-messages.ts';
import { openSliceAnswer, type AskedOfSlice } from './open-slice-answer.ts';

/**
 * Opens the slice's answer to confirm, status and leave.
 *
 * @returns the answer, the slice's clock minus ours in milliseconds, and the intermediate under which it is signed
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `clock-skew`
 */
export function openDeviceStatus(
  answer: string,
  asked: AskedOfSlice,
): { status: DeviceStatus; skewMs: number; intermediate: Certificate } {
  const form = { typ: TYP.deviceStatus, schema: deviceStatus, maxBytes: LIMITS.deviceStatus };
  const { message, skewMs, intermediate } = openSliceAnswer(answer, form, asked);
  return { status: message, skewMs, intermediate };
}
