import type { Clock } from '../../core/clock.ts';
import type { WgDump } from './read-wg-dump.ts';

/** Time limit for a handshake, over all candidates. */
export const HANDSHAKE_MS = 20_000;
/** The same for a tunnel that was up: WireGuard repeats a handshake that got no answer after 5 seconds. */
export const FOLLOW_MS = 12_000;
/** A tunnel in use repeats its handshake every two minutes; with an older one it is in doubt. */
export const HEALTHY_HANDSHAKE_MS = 150_000;
/** How long each endpoint of a race has in the first rounds; RFC 8305 recommends the same delay between connection attempts. */
export const TURNS_MS = [250, 1_000] as const;

/** A tunnel that runs, as `wg` shows and changes it. */
export interface RunningTunnel {
  readonly clock: Clock;
  /** How often it is looked at. */
  readonly pollMs: number;
  /** @returns undefined when there is no such interface */
  dump(): Promise<WgDump | undefined>;
  /** Removes the peer and adds it again with this endpoint: WireGuard then begins a handshake at once. */
  readd(endpoint: string): Promise<void>;
}

/** Waits for a handshake with this peer that is not older than `since`. */
export async function waitForHandshake(
  tunnel: RunningTunnel,
  wanted: { readonly peer: string; readonly since: number; readonly ms: number },
  signal?: AbortSignal,
): Promise<boolean> {
  const { clock, pollMs } = tunnel;
  const deadline = clock.monotonic() + wanted.ms;
  for (;;) {
    const peer = (await tunnel.dump())?.peers.find(({ publicKey }) => publicKey === wanted.peer);
    if (peer?.lastHandshake !== undefined && peer.lastHandshake >= wanted.since) return true;
    if (clock.monotonic() >= deadline) return false;
    await clock.sleep(pollMs, signal);
  }
}

/**
 * Lets these literal endpoints race for a handshake with the peer. A tunnel has one peer and a peer one endpoint, so they take turns: short
 * ones first, so that an address that leads nowhere costs a quarter of a second, then longer ones for slow networks and lost packets, `ms`
 * in all.
 *
 * @returns the endpoint that answered, with which the tunnel is left; undefined: it is left with the last
 */
export async function raceEndpoints(
  tunnel: RunningTunnel,
  wanted: { readonly peer: string; readonly endpoints: readonly string[]; readonly ms: number },
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { peer, endpoints, ms } = wanted;
  const rest = Math.max(0, ms / endpoints.length - TURNS_MS[0] - TURNS_MS[1]);
  for (const turn of endpoints.length === 1 ? [ms] : [...TURNS_MS, rest]) {
    for (const endpoint of endpoints) {
      await tunnel.readd(endpoint);
      // A peer that was just added has no handshake yet, so any is a new one.
      if (await waitForHandshake(tunnel, { peer, since: 0, ms: turn }, signal)) return endpoint;
    }
  }
  return undefined;
}
