import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { fitPackets } from '../tunnel/fit-packets.ts';
import { knownEndpoints } from '../tunnel/known-endpoints.ts';

const PROBE_MS = 3_000;

export interface TunnelCare {
  /** The slice had moved, and the tunnel has followed it to this address. */
  readonly followedTo?: string;
  /** The path of the tunnel carries smaller packets than before; its MTU is now this. */
  readonly mtuLoweredTo?: number;
  /** Why the tunnel does not carry what it should. */
  readonly error?: KiwiError;
}

/**
 * Mends what the network does to a tunnel that stays as it was granted: its configuration has a literal address, and the slice may
 * get another one; and a path may carry smaller packets. A tunnel that is not up is left alone: somebody may have stopped it.
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
  let moved: Pick<TunnelCare, 'followedTo'> = {};
  if (!(await tunnel.probe(probe, PROBE_MS, signal))) {
    const endpoint = await tunnel.follow(slug, knownEndpoints(device.tunnel.endpoints, gatewayUrl), signal);
    if (endpoint === undefined || !(await tunnel.probe(probe, PROBE_MS, signal))) {
      return { error: new KiwiError('tunnel-no-handshake', { detail: `${probe} in the tunnel does not answer` }) };
    }
    moved = { followedTo: endpoint };
  }
  const mtu = await fitPackets({ tunnel, slug, probe }, signal);
  return { ...moved, ...(mtu === undefined ? {} : { mtuLoweredTo: mtu }) };
}
