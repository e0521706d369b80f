import { readWgDump, type WgDump } from '../../src/laptop/tunnel/read-wg-dump.ts';
import { withRuntimeFile } from './runtime-file.ts';
import { runTool, runToolChecked, type LinuxSystem } from './system.ts';

const POLL_MS = 50;

/** @returns undefined when there is no such interface */
export async function wgDump(system: LinuxSystem, name: string): Promise<WgDump | undefined> {
  const result = await runTool(system, { name: 'wg', args: ['show', name, 'dump'], timeoutMs: 5_000 });
  return result.code === 0 ? readWgDump(result.stdout.toString()) : undefined;
}

/**
 * `setconf` replaces the peer, and a new peer with a keepalive starts a handshake at once; after changing only the endpoint
 * it would wait.
 */
export async function wgSetconf(system: LinuxSystem, name: string, text: string, signal?: AbortSignal): Promise<void> {
  // A file, because wg opens /dev/stdin by name and Node's pipes are sockets, which cannot be opened by name.
  await withRuntimeFile(system, `${name}.setconf`, text, (file) =>
    runToolChecked(system, { name: 'wg', args: ['setconf', name, file], signal }, 'tunnel-tools-failed'),
  );
}

/** Waits for a handshake with this peer that is not older than `since`. */
export async function wgHandshake(
  system: LinuxSystem,
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
