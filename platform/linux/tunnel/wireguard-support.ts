import { access } from 'node:fs/promises';

import { at, findProgram, runTool, type LinuxSystem } from '../system.ts';

/** True when the kernel has WireGuard: loaded, built in, or as a module that can be loaded. Loads nothing. */
export async function kernelHasWireguard(system: LinuxSystem): Promise<boolean> {
  const loaded = await access(at(system, '/sys/module/wireguard')).then(
    () => true,
    () => false,
  );
  if (loaded) return true;
  if ((await findProgram(system, 'modprobe')) === undefined) return false;
  return (await runTool(system, { name: 'modprobe', args: ['--dry-run', '--quiet', 'wireguard'] })).code === 0;
}

/** The userspace program that stands in for a kernel without it. */
export async function userspaceWireguard(system: LinuxSystem): Promise<string | undefined> {
  return findProgram(system, 'wireguard-go');
}
