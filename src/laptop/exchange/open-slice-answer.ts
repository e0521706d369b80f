import type { z } from 'zod';

import { digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import type { RevocationList } from '../../pki/revocation-list.ts';
import { checkGateway, openGatewaySigned } from '../../pki/gateway-signed.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { refuseRevoked } from './refuse-revoked.ts';
import { clockDifference } from './clock-difference.ts';

/** The customer's slice as it proved itself at enrollment: the only one whose answers are accepted afterwards. */
export interface SliceAuthority {
  /** The customer's intermediate. It may be replaced by a newer one with the same subject, for which the root vouches. */
  readonly intermediate: Certificate;
  /** Pinned. */
  readonly roots: readonly Certificate[];
  /** What the roots have taken back, as far as this laptop knows. */
  readonly revoked?: readonly RevocationList[] | undefined;
  /** A time that is past, because the slice has signed it. */
  readonly past?: Date | undefined;
}

/** The request that an answer has to be for. */
export interface AskedOfSlice {
  /** The body as sent. */
  readonly request: string;
  readonly deviceId: string;
  readonly slice: SliceAuthority;
  /** Wall clock when the answer arrived, milliseconds. */
  readonly now: number;
  /**
   * The slice's clock minus ours as a refusal told it, which nobody signed, milliseconds; 0 or absent while ours has not been refused.
   * Then it is not our clock that keeps an old gateway certificate from being used, but the last time that the slice has signed.
   */
  readonly toldSkewMs?: number;
}

export interface SliceAnswer<Message> {
  readonly message: Message;
  /** The slice's clock minus ours, milliseconds. */
  readonly skewMs: number;
  /** Under which the slice signed: the known one, or the customer's next one. */
  readonly intermediate: Certificate;
}

/**
 * Opens the slice's answer to a message of this device, verified like its challenge: signed, for exactly this request, by a
 * certificate with the gateway's role under the customer's intermediate and a pinned root, and made now. A proxy that
 * intercepts TLS can neither forge nor replay one, and a gateway certificate that is out of date speaks for nobody.
 *
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `slice-revoked`, `clock-skew`
 */
export function openSliceAnswer<S extends z.ZodType<{ requestHash: string; deviceId: string; serverTime: string }>>(
  answer: string,
  form: { readonly typ: string; readonly schema: S; readonly maxBytes: number },
  asked: AskedOfSlice,
): SliceAnswer<z.infer<S>> {
  const { payload, gateway, intermediate } = openGatewaySigned(answer, form.typ);
  const { intermediate: known, roots, past } = asked.slice;
  const { toldSkewMs = 0 } = asked;
  if (!intermediate.subjectDer.equals(known.subjectDer)) refuse('from another slice than that of the enrollment');
  if (!intermediate.der.equals(known.der) && intermediate.notBefore < known.notBefore) refuse('an older intermediate');
  refuseRevoked(intermediate, asked.slice.revoked);
  const message = parseMessage(form.schema, payload, form.maxBytes, 'slice-not-proven');
  const serverTime = new Date(message.serverTime);
  checkGateway({ gateway, intermediate, roots, at: serverTime });
  if (message.requestHash !== digest(asked.request)) refuse('answers another request');
  if (message.deviceId !== asked.deviceId) refuse('another device');
  if (toldSkewMs !== 0 && past !== undefined && serverTime < past) {
    throw new KiwiError('clock-skew', { detail: "the slice's time is before that of its last certificate" });
  }
  return { message, skewMs: toldSkewMs + clockDifference(serverTime, asked.now + toldSkewMs), intermediate };
}

function refuse(detail: string): never {
  throw new KiwiError('slice-not-proven', { detail });
}
