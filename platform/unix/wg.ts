import { withEndpoint } from '../../src/laptop/tunnel/edit-wg-quick.ts';
import { readWgDump, type WgDump } from '../../src/laptop/tunnel/read-wg-dump.ts';
import { withRuntimeFile } from './runtime-file.ts';
import { runTool, runToolChecked, type UnixSystem } from './system.ts';

const POLL_MS = 50;
/** How long each endpoint of a race has in the first rounds; RFC 8305 recommends the same delay between connection attempts. */
export const TURNS_MS = [250, 1_000] as const;

/** @returns undefined when there is no such interface */
export async function wgDump(system: UnixSystem, name: string): Promise<WgDump | undefined> {
  const result = await runTool(system, { name: 'wg', args: ['show', name, 'dump'], timeoutMs: 20_000 });
  return result.code === 0 ? readWgDump(result.stdout.toString()) : undefined;
}

/**
 * `setconf` replaces the peer, and a new peer with a keepalive starts a handshake at once; after changing only the endpoint
 * it would wait.
 */
export async function wgSetconf(system: UnixSystem, name: string, text: string, signal?: AbortSignal): Promise<void> {
  // A file, because wg opens /dev/stdin by name and Node's pipes are sockets, which cannot be opened by name.
  await withRuntimeFile(system, `${name}.setconf`, text, (file) =>
    runToolChecked(system, { name: 'wg', args: ['setconf', name, file], signal }, 'tunnel-tools-failed'),
  );
}

/** Sets the endpoint that is in use again: WireGuard forgets the source address that goes with it, and sends from the current one. */
export async function wgNudge(system: UnixSystem, name: string): Promise<void> {
  const peer = (await wgDump(system, name))?.peers[0];
  if (peer?.endpoint === undefined) return;
  const args = ['set', name, 'peer', peer.publicKey, 'endpoint', peer.endpoint];
  await runToolChecked(system, { name: 'wg', args }, 'tunnel-tools-failed');
}

/** Removes the peer of a running interface and adds it again, with another endpoint if one is given; whoever configured it. */
export async function wgReadd(
  system: UnixSystem,
  name: string,
  endpoint?: string,
  signal?: AbortSignal,
): Promise<void> {
  const shown = await runToolChecked(system, { name: 'wg', args: ['showconf', name], signal }, 'tunnel-tools-failed');
  const text = shown.stdout.toString();
  shown.stdout.fill(0);
  await wgSetconf(system, name, endpoint === undefined ? text : withEndpoint(text, endpoint), signal);
}

/**
 * Lets these literal endpoints race for a handshake with the peer of a running interface. An interface has one peer and a peer one
 * endpoint, so they take turns: short ones first, so that an address that leads nowhere costs a quarter of a second, then longer
 * ones for slow networks and lost packets, `ms` in all.
 *
 * @returns the endpoint that answered, with which the interface is left; undefined: it is left with the last
 */
export async function wgRace(
  system: UnixSystem,
  wanted: { readonly name: string; readonly peer: string; readonly endpoints: readonly string[]; readonly ms: number },
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { name, peer, endpoints, ms } = wanted;
  const rest = Math.max(0, ms / endpoints.length - TURNS_MS[0] - TURNS_MS[1]);
  for (const turn of endpoints.length === 1 ? [ms] : [...TURNS_MS, rest]) {
    for (const endpoint of endpoints) {
      await wgReadd(system, name, endpoint, signal);
      // A peer that was just added has no handshake yet, so any is a new one.
      if (await wgHandshake(system, { name, peer, since: 0, ms: turn }, signal)) return endpoint;
    }
  }
  return undefined;
}

/** Waits for a handshake with this peer that is not older than `since`. */
export async function wgHandshake(
  system: UnixSystem,
  wanted: { readonly name: string; readonly peer: string; readonly since: number; readonly ms: number },
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = system.clock.monotonic() + wanted.ms;
  for (;;) {
    const peer = (await wgDump(system, wanted.name))?.peers.find(({ publicKey }) => publicKey === wanted.peer);
    if (peer?.lastHandshake !== undefined && peer.lastHandshake >= wanted.since) return true;
    if (system.clock.monotonic() >= deadline) return false;
    await system.clock.sleep(POLL_MS, signal);
  }
}
