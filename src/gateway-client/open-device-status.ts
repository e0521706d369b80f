import { digest } from '../core/bytes.ts';
import { KiwiError } from '../core/errors.ts';
import type { Certificate } from '../pki/certificate.ts';
import { ChainError, verifyChain } from '../pki/chain.ts';
import { JoseError, openCompact, type OpenedCompact } from '../pki/jws.ts';
import { EKU } from '../pki/roles.ts';
import { LIMITS, TYP } from '../protocol/common.ts';
import { deviceStatus, type DeviceStatus } from '../protocol/device-messages.ts';
import { parseMessage } from '../protocol/parse.ts';

/** The customer's slice as it proved itself at the enrollment: the only one that is believed afterwards. */
export interface SliceAuthority {
  /** The customer's intermediate. */
  readonly intermediate: Certificate;
  /** Pinned. */
  readonly roots: readonly Certificate[];
}

/**
 * The slice's answer to a device message, proven as its challenge was: signed by a certificate with the gateway's role under the very
 * intermediate of the enrollment and a pinned root, for this very request. A proxy that opens TLS can neither make nor replay one.
 *
 * @param request the body as sent
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`
 */
export function openDeviceStatus(
  answer: string,
  asked: { readonly request: string; readonly deviceId: string; readonly slice: SliceAuthority },
): DeviceStatus {
  const opened = open(answer);
  const [gateway, intermediate] = opened.x5c;
  if (gateway === undefined || intermediate === undefined || opened.x5c.length !== 2) refuse('x5c');
  if (!opened.verify(gateway.publicKey)) refuse('signature');
  if (!intermediate.der.equals(asked.slice.intermediate.der)) refuse('another slice than that of the enrollment');
  const status = parseMessage(deviceStatus, opened.payload, LIMITS.deviceStatus, 'slice-not-proven');
  checkChain(gateway, asked.slice, new Date(status.serverTime));
  if (!gateway.extendedKeyUsages.includes(EKU.gateway)) refuse('role of the signer');
  if (status.requestHash !== digest(asked.request)) refuse('answers another request');
  if (status.deviceId !== asked.deviceId) refuse('another device');
  return status;
}

function open(answer: string): OpenedCompact {
  try {
    return openCompact(answer, TYP.deviceStatus);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('slice-not-proven', { detail: error.message, cause: error });
  }
}

function checkChain(leaf: Certificate, { intermediate, roots }: SliceAuthority, at: Date): void {
  try {
    verifyChain({ leaf, intermediate, roots, at });
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    const code = error.reason === 'unknown-root' ? 'slice-root-unknown' : 'slice-not-proven';
    throw new KiwiError(code, { detail: error.message, cause: error });
  }
}

function refuse(detail: string): never {
  throw new KiwiError('slice-not-proven', { detail });
}
