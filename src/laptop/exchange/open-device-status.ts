import { LIMITS, TYP } from '../../protocol/common.ts';
import { deviceStatus, type DeviceStatus } from '../../protocol/device-messages.ts';
import { openSliceAnswer, type AskedOfSlice } from './open-slice-answer.ts';

/**
 * Opens the slice's answer to confirm, status and leave.
 *
 * @returns the answer, and the slice's clock minus ours in milliseconds
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `clock-skew`
 */
export function openDeviceStatus(answer: string, asked: AskedOfSlice): { status: DeviceStatus; skewMs: number } {
  const form = { typ: TYP.deviceStatus, schema: deviceStatus, maxBytes: LIMITS.deviceStatus };
  const { message, skewMs } = openSliceAnswer(answer, form, asked);
  return { status: message, skewMs };
}
