import { KiwiError } from '../../core/errors.ts';
import type { Tunnel } from '../system/tunnel.ts';
import { TUNNEL_MTU } from './render-wg-quick.ts';

/** Every IPv4 path carries datagrams of 576 bytes in fragments (RFC 791); with less than this inside, nothing works well. */
const SMALLEST_MTU = 576;
/** The search ends this close to the limit of the path, bytes. */
const STEP = 4;

export interface TunnelPath {
  readonly tunnel: Tunnel;
  readonly slug: string;
  /** An address inside that answers pings. */
  readonly probe: string;
}

/** True when packets as large as the tunnel's interface takes arrive and come back. */
export async function packetsFit({ tunnel, slug, probe }: TunnelPath, signal?: AbortSignal): Promise<boolean> {
  const { mtu } = await tunnel.status(slug);
  return mtu === undefined || tunnel.carries(probe, mtu, signal);
}

/**
 * Sets the tunnel's MTU to what its path carries. WireGuard adds 60 bytes (IPv4) or 80 (IPv6) to each packet, and routers that drop
 * what has become too large often do not say so; then handshakes and pings work, and everything larger stalls. On a path that
 * carries more again it is raised, because small packets cost speed.
 *
 * @returns the new MTU; undefined when it was left as it is
 * @throws KiwiError `tunnel-packet-size` when not even the smallest packets of this search pass
 */
export async function fitPackets(path: TunnelPath, signal?: AbortSignal): Promise<number | undefined> {
  const { tunnel, slug, probe } = path;
  const { mtu } = await tunnel.status(slug);
  if (mtu === undefined) return undefined;
  if (await tunnel.carries(probe, mtu, signal)) return mtu < TUNNEL_MTU ? raise(path, mtu, signal) : undefined;
  if (!(await tunnel.carries(probe, SMALLEST_MTU, signal))) {
    throw new KiwiError('tunnel-packet-size', { detail: `not even ${SMALLEST_MTU} bytes come back from ${probe}` });
  }
  const passes = await largest(path, SMALLEST_MTU, mtu, signal);
  await tunnel.setMtu(slug, passes);
  return passes;
}

/** A path that is still the same is noticed by two packets that get lost, so that this may be tried every hour. */
async function raise(path: TunnelPath, mtu: number, signal?: AbortSignal): Promise<number | undefined> {
  const { tunnel, slug, probe } = path;
  let passes = mtu;
  // Nothing larger than the interface's MTU leaves it.
  await tunnel.setMtu(slug, TUNNEL_MTU, 'trial');
  try {
    if (await tunnel.carries(probe, TUNNEL_MTU, signal)) passes = TUNNEL_MTU;
    else if (await tunnel.carries(probe, Math.min(mtu + STEP, TUNNEL_MTU), signal)) {
      passes = await largest(path, Math.min(mtu + STEP, TUNNEL_MTU), TUNNEL_MTU, signal);
    }
  } finally {
    await tunnel.setMtu(slug, passes);
  }
  return passes === mtu ? undefined : passes;
}

/** @param passes a size that is known to pass @param fails one that is known not to */
async function largest(
  { tunnel, probe }: TunnelPath,
  passes: number,
  fails: number,
  signal?: AbortSignal,
): Promise<number> {
  while (fails - passes > STEP) {
    const middle = passes + Math.floor((fails - passes) / (2 * STEP)) * STEP;
    if (await tunnel.carries(probe, middle, signal)) passes = middle;
    else fails = middle;
  }
  return passes;
}
