import { rm } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../../src/core/durable-file.ts';
import { withEndpoint } from '../../../src/laptop/tunnel/edit-wg-quick.ts';
import { readWgDump, type WgDump } from '../../../src/laptop/tunnel/read-wg-dump.ts';
import { makeFolders } from '../folders.ts';
import { PATHS } from '../paths.ts';
import { at, runTool, runToolChecked, type WindowsSystem } from '../system.ts';

const POLL_MS = 100;
const SHOW_MS = 20_000;
/** How long each endpoint of a race has in the first rounds; RFC 8305 recommends the same delay between connection attempts. */
export const TURNS_MS = [250, 1_000] as const;

/** What `wg.exe` shows of a tunnel; undefined when it does not run. The text has keys in it, and is cleared. */
export async function wgDump(system: WindowsSystem, name: string): Promise<WgDump | undefined> {
  const { code, stdout } = await runTool(system, { name: 'wg', args: ['show', name, 'dump'], timeoutMs: SHOW_MS });
  const dump = code === 0 ? readWgDump(stdout.toString().replaceAll('\r', '')) : undefined;
  stdout.fill(0);
  return dump;
}

/** Sets the endpoint in use again, so that WireGuard sends from the laptop's current address. */
export async function wgNudge(system: WindowsSystem, name: string): Promise<void> {
  const peer = (await wgDump(system, name))?.peers[0];
  if (peer?.endpoint === undefined) return;
  const args = ['set', name, 'peer', peer.publicKey, 'endpoint', peer.endpoint];
  await runToolChecked(system, { name: 'wg', args }, 'tunnel-tools-failed');
}

/** Removes the peer and adds it again as it was, with another endpoint if one is given: WireGuard begins a handshake at once. */
export async function wgReadd(
  system: WindowsSystem,
  name: string,
  endpoint?: string,
  signal?: AbortSignal,
): Promise<void> {
  const shown = await runToolChecked(system, { name: 'wg', args: ['showconf', name], signal }, 'tunnel-tools-failed');
  const text = shown.stdout.toString().replaceAll('\r', '');
  shown.stdout.fill(0);
  await makeFolders(system);
  const file = path.join(at(system, PATHS.run), `${name}.setconf`);
  try {
    await writeDurableFile(file, endpoint === undefined ? text : withEndpoint(text, endpoint), 0o600);
    await runToolChecked(system, { name: 'wg', args: ['setconf', name, file], signal }, 'tunnel-tools-failed');
  } finally {
    await rm(file, { force: true });
  }
}

/**
 * Lets these literal endpoints take turns for a handshake with the peer: short ones first, so that an address that leads nowhere costs a
 * quarter of a second, then longer ones, `ms` in all.
 * @returns the endpoint that answered, with which the tunnel is left; undefined: it is left with the last
 */
export async function wgRace(
  system: WindowsSystem,
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
  system: WindowsSystem,
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
