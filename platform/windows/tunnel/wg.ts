import { rm } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../../src/core/durable-file.ts';
import { withEndpoint } from '../../../src/laptop/tunnel/edit-wg-quick.ts';
import { raceEndpoints, waitForHandshake, type RunningTunnel } from '../../../src/laptop/tunnel/handshakes.ts';
import { nudges, readWgDump, type WgDump } from '../../../src/laptop/tunnel/read-wg-dump.ts';
import { makeFolders } from '../folders.ts';
import { PATHS } from '../paths.ts';
import { at, runTool, runToolChecked, type WindowsSystem } from '../system.ts';

const POLL_MS = 100;
const SHOW_MS = 20_000;

/** What `wg.exe` shows of a tunnel; undefined when it does not run. The text has keys in it, and is cleared. */
export async function wgDump(system: WindowsSystem, name: string): Promise<WgDump | undefined> {
  const { code, stdout } = await runTool(system, { name: 'wg', args: ['show', name, 'dump'], timeoutMs: SHOW_MS });
  const dump = code === 0 ? readWgDump(stdout.toString().replaceAll('\r', '')) : undefined;
  stdout.fill(0);
  return dump;
}

/** Sets the endpoint in use again, so that WireGuard sends from the laptop's current address. */
export async function wgNudge(system: WindowsSystem, name: string): Promise<void> {
  for (const args of nudges(name, await wgDump(system, name))) {
    await runToolChecked(system, { name: 'wg', args }, 'tunnel-tools-failed');
  }
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

/** @returns the endpoint that answered; see `raceEndpoints` */
export function wgRace(
  system: WindowsSystem,
  wanted: { readonly name: string; readonly peer: string; readonly endpoints: readonly string[]; readonly ms: number },
  signal?: AbortSignal,
): Promise<string | undefined> {
  return raceEndpoints(running(system, wanted.name, signal), wanted, signal);
}

/** Waits for a handshake with this peer that is not older than `since`. */
export function wgHandshake(
  system: WindowsSystem,
  wanted: { readonly name: string; readonly peer: string; readonly since: number; readonly ms: number },
  signal?: AbortSignal,
): Promise<boolean> {
  return waitForHandshake(running(system, wanted.name, signal), wanted, signal);
}

function running(system: WindowsSystem, name: string, signal: AbortSignal | undefined): RunningTunnel {
  return {
    clock: system.clock,
    pollMs: POLL_MS,
    dump: () => wgDump(system, name),
    readd: (endpoint) => wgReadd(system, name, endpoint, signal),
  };
}
