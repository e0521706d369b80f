import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { knownEndpoints } from '../tunnel/known-endpoints.ts';

const PROBE_MS = 3_000;

export interface TunnelCare {
  /** The slice had moved, and the tunnel has followed it to this address. */
  readonly followedTo?: string;
  /** Why the tunnel does not carry what it should. */
  readonly error?: KiwiError;
}

/**
 * Mends what the network does to a tunnel that stays as it was granted: its configuration has a literal address, and the slice may
 * get another one. A tunnel that is not up is left alone: somebody may have stopped it.
 */
export async function mendTunnel(context: LaptopContext, record: EnrollmentRecord): Promise<TunnelCare> {
  try {
    return await mend(context, record);
  } catch (error) {
    context.signal.throwIfAborted();
    return { error: toKiwiError(error) };
  }
}

async function mend({ platform, signal }: LaptopContext, record: EnrollmentRecord): Promise<TunnelCare> {
  const { tunnel } = platform;
  const { slug, device, gatewayUrl } = record;
  if (device?.tunnel === undefined || !(await tunnel.status(slug)).up) return {};
  const { probe } = device;
  if (await tunnel.probe(probe, PROBE_MS, signal)) return {};
  const endpoint = await tunnel.follow(slug, knownEndpoints(device.tunnel.endpoints, gatewayUrl), signal);
  if (endpoint !== undefined && (await tunnel.probe(probe, PROBE_MS, signal))) return { followedTo: endpoint };
  return { error: new KiwiError('tunnel-no-handshake', { detail: `${probe} in the tunnel does not answer` }) };
}
