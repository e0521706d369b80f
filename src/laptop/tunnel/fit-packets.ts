import { KiwiError } from '../../core/errors.ts';
import type { Tunnel } from '../system/tunnel.ts';

/** Every IPv4 path carries datagrams of 576 bytes in fragments (RFC 791); with less than this inside, nothing works well. */
const SMALLEST_MTU = 576;

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
 * Lowers the tunnel's MTU to what its path carries. WireGuard adds 60 bytes (IPv4) or 80 (IPv6) to each packet, and routers that drop
 * what has become too large often do not say so; then handshakes and pings work, and everything larger stalls. It is never raised
 * again: it costs a few per cent, and the laptop may come back to this path.
 *
 * @returns the new MTU; undefined when it was left as it is
 * @throws KiwiError `tunnel-packet-size` when not even the smallest packets of this search pass
 */
export async function fitPackets(path: TunnelPath, signal?: AbortSignal): Promise<number | undefined> {
  const { tunnel, slug, probe } = path;
  if (await packetsFit(path, signal)) return undefined;
  const { mtu } = await tunnel.status(slug);
  if (mtu === undefined) return undefined;
  if (!(await tunnel.carries(probe, SMALLEST_MTU, signal))) {
    throw new KiwiError('tunnel-packet-size', { detail: `not even ${SMALLEST_MTU} bytes come back from ${probe}` });
  }
  // `passes` is known to pass, `fails` not to.
  let [passes, fails] = [SMALLEST_MTU, mtu];
  while (fails - passes > 4) {
    const middle = passes + Math.floor((fails - passes) / 8) * 4;
    if (await tunnel.carries(probe, middle, signal)) passes = middle;
    else fails = middle;
  }
  await tunnel.setMtu(slug, passes);
  return passes;
}
