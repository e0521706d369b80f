import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import { askSlice } from '../standing/ask-slice.ts';
import { endedError } from '../standing/ended-error.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { knownEndpoints } from '../tunnel/known-endpoints.ts';

/**
 * Why a tunnel does not answer although everything was tried: `no-network`, `endpoint-unresolved`, `udp-blocked`, `slice-silent`, or
 * `device-ended` where the slice has taken this laptop off its endpoint. That UDP is blocked cannot be seen directly: it is what
 * remains when the gateway, which usually is the same machine, answers by HTTPS.
 *
 * @param slice what the slice has just said about this laptop; it is asked otherwise
 */
export async function explainSilence(
  context: LaptopContext,
  record: EnrollmentRecord,
  slice?: DeviceStatus | KiwiError,
): Promise<KiwiError> {
  const { tunnel } = context.platform;
  const names = knownEndpoints(record.device?.tunnel?.endpoints ?? [], record.gatewayUrl);
  const { endpoint } = await tunnel.status(record.slug);
  const resolved = await tunnel.resolve(names);
  const tried = [...new Set([...resolved, ...(endpoint === undefined ? [] : [endpoint])])];
  if (tried.length > 0 && (await tunnel.routable(tried)).length === 0) {
    return new KiwiError('no-network', { detail: `no route to ${tried.join(', ')}` });
  }
  if (resolved.length === 0) {
    return new KiwiError('endpoint-unresolved', { detail: `no address for ${names.join(', ')}` });
  }
  const answer = slice ?? (await askSlice(context, record).catch((error: unknown) => toKiwiError(error)));
  if (!(answer instanceof KiwiError) && answer.state === 'ended') return endedError(answer);
  const detail = `no handshake at UDP ${tried.join(', ')}`;
  // A refusal is an answer of the gateway too.
  if (!(answer instanceof KiwiError) || answer.requestId !== undefined) return new KiwiError('udp-blocked', { detail });
  return new KiwiError('slice-silent', { detail: `${detail}; the gateway: ${answer.code}` });
}
