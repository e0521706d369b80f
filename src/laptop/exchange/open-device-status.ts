import { digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { checkGateway, openGatewaySigned } from '../../pki/gateway-signed.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { deviceStatus, type DeviceStatus } from '../../protocol/device-messages.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { clockDifference } from './clock-difference.ts';

/** The customer's slice as it proved itself at enrollment: the only one whose answers are accepted afterwards. */
export interface SliceAuthority {
  /** The customer's intermediate. It may be replaced by a newer one with the same subject, for which the root vouches. */
  readonly intermediate: Certificate;
  /** Pinned. */
  readonly roots: readonly Certificate[];
}

/**
 * Opens the slice's answer to a device message, verified like its challenge: signed, for exactly this request, by a
 * certificate with the gateway's role under the customer's intermediate and a pinned root, and made now. A proxy that
 * intercepts TLS can neither forge nor replay one, and a gateway certificate that is out of date speaks for nobody.
 *
 * @param asked.request the body as sent
 * @param asked.now wall clock when the answer arrived, milliseconds
 * @returns the answer, and the slice's clock minus ours in milliseconds
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `clock-skew`
 */
export function openDeviceStatus(
  answer: string,
  asked: {
    readonly request: string;
    readonly deviceId: string;
    readonly slice: SliceAuthority;
    readonly now: number;
  },
): { status: DeviceStatus; skewMs: number } {
  const { payload, gateway, intermediate } = openGatewaySigned(answer, TYP.deviceStatus);
  const { intermediate: known, roots } = asked.slice;
  if (!intermediate.subjectDer.equals(known.subjectDer)) refuse('from another slice than that of the enrollment');
  if (!intermediate.der.equals(known.der) && intermediate.notBefore < known.notBefore) refuse('an older intermediate');
  const status = parseMessage(deviceStatus, payload, LIMITS.deviceStatus, 'slice-not-proven');
  const serverTime = new Date(status.serverTime);
  checkGateway({ gateway, intermediate, roots, at: serverTime });
  if (status.requestHash !== digest(asked.request)) refuse('answers another request');
  if (status.deviceId !== asked.deviceId) refuse('another device');
  return { status, skewMs: clockDifference(serverTime, asked.now) };
}

function refuse(detail: string): never {
  throw new KiwiError('slice-not-proven', { detail });
}
