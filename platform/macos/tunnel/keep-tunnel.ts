import { readdir } from 'node:fs/promises';

import { ignoreMissing, removeDurableFile } from '../../../src/core/durable-file.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import type { Found } from '../../../src/laptop/system/found.ts';
import { interfaceFile, tunnelInLabel, tunnelJobs, tunnelLabels } from '../jobs.ts';
import { isOurJob, jobState, keepJob, readDaemonFile, removeJob, restartJob } from '../launchd.ts';
import { daemonFile, PATHS } from '../paths.ts';
import { at, type MacSystem } from '../system.ts';
import { appTraces, removeAppProfile } from './app-profile.ts';
import { configureTunnel } from './configure.ts';
import { profileNames, removeProfile } from './profile.ts';
import { removeResolverFiles, resolverFiles } from './resolver-files.ts';

/** Loads the jobs of the tunnel, now and for every start, and configures its interface. @throws KiwiError `tunnel-tools-failed` */
export async function startTunnel(system: MacSystem, tunnel: string, signal?: AbortSignal): Promise<string> {
  const { device, configure } = tunnelJobs(tunnel);
  return tools(async () => {
    await keepJob(system, device);
    const name = await configureTunnel(system, tunnel, signal);
    // Last: it would do the same beside us.
    await keepJob(system, configure);
    return name;
  }, signal);
}

/** With a new wireguard-go. */
export async function restartTunnel(system: MacSystem, tunnel: string, signal?: AbortSignal): Promise<string> {
  const { device, configure } = tunnelJobs(tunnel);
  return tools(async () => {
    await keepJob(system, device);
    // So that the old one's is not taken for the new one's.
    await removeDurableFile(at(system, interfaceFile(tunnel)));
    await restartJob(system, device.Label);
    const name = await configureTunnel(system, tunnel, signal);
    await keepJob(system, configure);
    return name;
  }, signal);
}

/** Has it start with macOS; what runs goes on as it is. */
export async function enableTunnel(system: MacSystem, tunnel: string): Promise<void> {
  await tools(async () => {
    const { device, configure } = tunnelJobs(tunnel);
    for (const job of [device, configure]) await keepJob(system, job);
  });
}

/** Ends wireguard-go, and its interface with it, also for later starts of macOS. The profile and the names stay. */
export async function stopTunnel(system: MacSystem, tunnel: string): Promise<void> {
  const { device, configure } = tunnelLabels(tunnel);
  await tools(async () => {
    for (const label of [configure, device]) await removeJob(system, label);
  });
  // Another program may get its number.
  if ((await readdir(at(system, PATHS.tunnel)).catch(ignoreMissing)) !== undefined) {
    await removeDurableFile(at(system, interfaceFile(tunnel)));
  }
}

/** Names, jobs, interface and profile, also those of WireGuard.app; nothing of another program. */
export async function removeTunnel(system: MacSystem, tunnel: string): Promise<void> {
  // First the names: files whose servers are not reached any more would be worse than none.
  await removeResolverFiles(system, tunnel);
  await stopTunnel(system, tunnel);
  await removeProfile(system, tunnel);
  // Last: where macOS keeps it until a person removes it, that is all that is left.
  await removeAppProfile(system, tunnel);
}

/** True when a daemon of this name is somebody else's. */
export async function foreignDaemon(system: MacSystem, tunnel: string): Promise<string | undefined> {
  for (const label of Object.values(tunnelLabels(tunnel))) {
    const text = await readDaemonFile(system, label);
    if (text !== undefined && !isOurJob(text)) return daemonFile(label);
    if (text === undefined && (await jobState(system, label)).known && !(await hasProfile(system, tunnel))) {
      return `the job ${label}`;
    }
  }
  return undefined;
}

export interface FoundTunnel extends Found {
  readonly name: string;
}

/** Profiles, daemons and files of the resolver of ours, what WireGuard.app has of us, and daemons that only have our names. */
export async function findTunnels(system: MacSystem): Promise<FoundTunnel[]> {
  const profiles = (await profileNames(system)).map(({ name, file }) => ({ name, what: file, ours: true }));
  const daemons: FoundTunnel[] = [];
  for (const file of ((await readdir(at(system, PATHS.daemons)).catch(ignoreMissing)) ?? []).toSorted()) {
    const label = /^\.?(io\.kiwistack\.tunnel\.[a-z0-9.-]{1,40}?)\.plist(?:\.[0-9a-f]{12}\.tmp)?$/u.exec(file)?.[1];
    const name = label === undefined ? undefined : tunnelInLabel(label);
    if (label === undefined || name === undefined) continue;
    const text = file.startsWith('.') ? undefined : await readDaemonFile(system, label);
    daemons.push({ name, what: `${PATHS.daemons}/${file}`, ours: text === undefined || isOurJob(text) });
  }
  const names = (await resolverFiles(system)).flatMap(({ domain, tunnel }) =>
    tunnel === undefined ? [] : [{ name: tunnel, what: `${PATHS.resolver}/${domain}`, ours: true }],
  );
  const app = (await appTraces(system)).map(({ name, file }) => ({ name, what: file, ours: true }));
  return [...profiles, ...daemons, ...names, ...app];
}

async function hasProfile(system: MacSystem, tunnel: string): Promise<boolean> {
  return (await profileNames(system)).some(({ name }) => name === tunnel);
}

async function tools<Result>(act: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
  return act().catch((error: unknown) => {
    signal?.throwIfAborted();
    if (!(error instanceof KiwiError) || error.code !== 'program-failed') throw error;
    throw new KiwiError('tunnel-tools-failed', { detail: error.detail ?? error.message, cause: error });
  });
}
