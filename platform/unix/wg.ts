import { withEndpoint } from '../../src/laptop/tunnel/edit-wg-quick.ts';
import { raceEndpoints, waitForHandshake, type RunningTunnel } from '../../src/laptop/tunnel/handshakes.ts';
import { nudges, readWgDump, type WgDump } from '../../src/laptop/tunnel/read-wg-dump.ts';
import { withRuntimeFile } from './runtime-file.ts';
import { runTool, runToolChecked, type UnixSystem } from './system.ts';

const POLL_MS = 50;

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
  for (const args of nudges(name, await wgDump(system, name))) {
    await runToolChecked(system, { name: 'wg', args }, 'tunnel-tools-failed');
  }
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

/** @returns the endpoint that answered; see `raceEndpoints` */
export function wgRace(
  system: UnixSystem,
  wanted: { readonly name: string; readonly peer: string; readonly endpoints: readonly string[]; readonly ms: number },
  signal?: AbortSignal,
): Promise<string | undefined> {
  return raceEndpoints(running(system, wanted.name, signal), wanted, signal);
}

/** Waits for a handshake with this peer that is not older than `since`. */
export function wgHandshake(
  system: UnixSystem,
  wanted: { readonly name: string; readonly peer: string; readonly since: number; readonly ms: number },
  signal?: AbortSignal,
): Promise<boolean> {
  return waitForHandshake(running(system, wanted.name, signal), wanted, signal);
}

function running(system: UnixSystem, name: string, signal: AbortSignal | undefined): RunningTunnel {
  return {
    clock: system.clock,
    pollMs: POLL_MS,
    dump: () => wgDump(system, name),
    readd: (endpoint) => wgReadd(system, name, endpoint, signal),
  };
}
