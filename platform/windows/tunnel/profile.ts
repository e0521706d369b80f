import { readdir } from 'node:fs/promises';
import path from 'node:path';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../../src/core/durable-file.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import { readCappedFile } from '../../../src/core/read-capped-file.ts';
import { MARKER } from '../../../src/laptop/system/found.ts';
import { makeFolders } from '../folders.ts';
import { PATHS } from '../paths.ts';
import { isRunning, serviceOf, services, setRecovery, startService, stopService } from '../services.ts';
import { at, exists, programPath, runToolChecked, type WindowsSystem } from '../system.ts';

/** As `tunnelInterfaceName` makes it: WireGuard for Windows takes `[a-zA-Z0-9_=+.-]{1,32}`. */
const NAME = String.raw`kiwi-[a-z0-9-]{1,10}`;
const MAX_BYTES = 64 * 1024;
/** WireGuard for Windows names the service of a tunnel so. */
const PREFIX = 'WireGuardTunnel$';

export const serviceName = (tunnel: string): string => PREFIX + tunnel;

/**
 * The profile is in a folder of ours and not in WireGuard's own `Data\Configurations`: there its manager would take it over, encrypt it for
 * itself, and offer people to change it.
 */
export function profilePath(system: WindowsSystem, tunnel: string): string {
  return path.join(at(system, PATHS.tunnel), `${tunnel}.conf`);
}

/** The text of a profile of ours, with its secrets. */
export async function readProfile(system: WindowsSystem, tunnel: string): Promise<string | undefined> {
  const bytes = await readCappedFile(profilePath(system, tunnel), { maxBytes: MAX_BYTES }).catch(ignoreMissing);
  const text = bytes?.toString();
  bytes?.fill(0);
  return text?.startsWith(MARKER) === true ? text : undefined;
}

/** Does nothing when it is the same already. What runs goes on as it is. */
export async function writeProfile(system: WindowsSystem, tunnel: string, text: string): Promise<void> {
  if ((await readProfile(system, tunnel)) === text) return;
  await makeFolders(system);
  await writeDurableFile(profilePath(system, tunnel), text, 0o600);
}

/** True when the service of this name reads another profile than ours: it belongs to another program. */
export async function isForeign(system: WindowsSystem, tunnel: string): Promise<boolean> {
  const found = await serviceOf(system, serviceName(tunnel));
  if (found === undefined) return false;
  return found.command?.toLowerCase().includes(profilePath(system, tunnel).toLowerCase()) !== true;
}

/** Tunnels of ours by their profiles, and services by their names. */
export async function tunnels(system: WindowsSystem): Promise<{ name: string; what: string; ours: boolean }[]> {
  const folder = at(system, PATHS.tunnel);
  const files = ((await readdir(folder).catch(ignoreMissing)) ?? []).toSorted();
  const profiles = files.flatMap((file) => {
    const name = new RegExp(`^\\.?(${NAME})\\.conf(?:\\.[0-9a-f]{12}\\.tmp)?$`, 'u').exec(file)?.[1];
    return name === undefined ? [] : [{ name, what: path.join(folder, file), ours: true }];
  });
  const named = (await services(system, [`${PREFIX}kiwi-*`])).filter(({ known }) => known);
  const kept = await Promise.all(
    named.map(async ({ name }) => {
      const tunnel = name.slice(PREFIX.length);
      return { name: tunnel, what: `the service ${name}`, ours: !(await isForeign(system, tunnel)) };
    }),
  );
  return [...profiles, ...kept];
}

/**
 * Makes the service that brings the tunnel up, now and at every start of Windows, before anybody logs in; and has it restarted when it fails, which
 * WireGuard itself does not set.
 * @throws KiwiError `tunnel-tools-failed`
 */
export async function startTunnel(system: WindowsSystem, tunnel: string, signal?: AbortSignal): Promise<void> {
  const service = serviceName(tunnel);
  const failed = (cause: unknown): KiwiError => {
    const detail = cause instanceof KiwiError ? (cause.detail ?? cause.message) : service;
    return new KiwiError('tunnel-tools-failed', { detail, cause });
  };
  try {
    // A service that is there reads the profile when it starts.
    if ((await serviceOf(system, service)) === undefined) {
      const args = ['/installtunnelservice', profilePath(system, tunnel)];
      await runToolChecked(system, { name: 'wireguard', args, signal }, 'tunnel-tools-failed');
    }
    await setRecovery(system, service);
    await startService(system, service, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw failed(error);
  }
}

export async function restartTunnel(system: WindowsSystem, tunnel: string, signal?: AbortSignal): Promise<void> {
  await stopService(system, serviceName(tunnel), signal);
  await startTunnel(system, tunnel, signal);
}

/** Service and profile; nothing of another program. */
export async function removeTunnel(system: WindowsSystem, tunnel: string): Promise<void> {
  if (await isForeign(system, tunnel)) return;
  const service = serviceName(tunnel);
  if ((await serviceOf(system, service)) !== undefined) {
    const hasProgram = await exists(programPath(system, 'wireguard'));
    if (hasProgram) {
      const args = ['/uninstalltunnelservice', tunnel];
      await runToolChecked(system, { name: 'wireguard', args }, 'tunnel-tools-failed');
    }
    // WireGuard answers before the service is gone; without WireGuard only Windows can remove it.
    await goneWithin(system, service, hasProgram ? 10_000 : 0);
  }
  await removeDurableFile(profilePath(system, tunnel)).catch(ignoreMissing);
}

async function goneWithin(system: WindowsSystem, service: string, ms: number): Promise<void> {
  const deadline = system.clock.monotonic() + ms;
  while (system.clock.monotonic() < deadline) {
    if ((await serviceOf(system, service)) === undefined) return;
    await system.clock.sleep(200);
  }
  if (isRunning(await serviceOf(system, service))) await stopService(system, service);
  if ((await serviceOf(system, service)) === undefined) return;
  await runToolChecked(system, { name: 'sc', args: ['delete', service] }, 'tunnel-tools-failed');
}
