import { readdir } from 'node:fs/promises';

import { ignoreMissing } from '../../../src/core/durable-file.ts';
import type { Found } from '../../../src/laptop/system/found.ts';
import { profileUuid } from '../../../src/laptop/tunnel/profile-uuid.ts';
import { PATHS } from '../paths.ts';
import { at, findProgram, runTool, type LinuxSystem } from '../system.ts';
import { NAME, profileFiles } from './profile-files.ts';

/** The drop-in that chooses the userspace program. */
export const TUNNEL_DROP_IN = '10-kiwistack-userspace.conf';

export interface FoundTunnel extends Found {
  /** Of the interface. */
  readonly name: string;
}

const UNFINISHED = new RegExp(`^\\.(${NAME})\\.(?:conf|nmconnection)\\.[0-9a-f]{12}\\.tmp$`);
const UNIT = new RegExp(`^wg-quick@(${NAME})\\.service$`);
const DROP_IN_FOLDER = new RegExp(`^wg-quick@(${NAME})\\.service\\.d$`);
const INTERFACE = new RegExp(`^\\d+: (${NAME})(?:@\\S+)?:`);

/**
 * Tunnels of ours: profiles with our marker or UUID, units and drop-ins of our names, and interfaces that such a profile brought
 * up. A configuration of wg-quick without the marker is somebody else's, and so is everything of its name. An interface that nothing of
 * ours brought up may be that of a slice on this machine: it is reported, but not called ours.
 */
export async function findTunnels(system: LinuxSystem): Promise<FoundTunnel[]> {
  const profiles = await profileFiles(system);
  const found: FoundTunnel[] = profiles.map(({ name, file, ours }) => ({ name, what: file, ours }));
  const foreign = new Set(profiles.filter(({ ours }) => !ours).map(({ name }) => name));
  for (const folder of [PATHS.wireguard, PATHS.networkManager]) {
    for (const file of await names(system, folder)) {
      const name = UNFINISHED.exec(file)?.[1];
      if (name !== undefined) found.push({ name, what: `${folder}/${file}`, ours: true });
    }
  }
  for (const folder of await names(system, PATHS.systemdUnits)) {
    const dropIns = DROP_IN_FOLDER.exec(folder)?.[1];
    const path = `${PATHS.systemdUnits}/${folder}`;
    if (dropIns === undefined && !folder.endsWith('.wants')) continue;
    for (const file of await names(system, path)) {
      const name = file === TUNNEL_DROP_IN || file.startsWith(`.${TUNNEL_DROP_IN}.`) ? dropIns : UNIT.exec(file)?.[1];
      if (name === undefined) continue;
      found.push({ name, what: `${path}/${file}`, ours: !foreign.has(name) });
    }
  }
  for (const name of await interfaces(system)) {
    const known = found.some((other) => other.ours && other.name === name);
    const ours = known || (!foreign.has(name) && (await isKept(system, name)));
    found.push({ name, what: `the interface ${name}`, ours });
  }
  return found;
}

async function interfaces(system: LinuxSystem): Promise<string[]> {
  if ((await findProgram(system, 'ip')) === undefined) return [];
  const { stdout } = await runTool(system, { name: 'ip', args: ['-o', 'link', 'show'] });
  return stdout
    .toString()
    .split('\n')
    .flatMap((line) => INTERFACE.exec(line)?.[1] ?? []);
}

/** By a unit whose configuration is gone, or by a profile that NetworkManager still has in memory. */
async function isKept(system: LinuxSystem, name: string): Promise<boolean> {
  const unit = `wg-quick@${name}.service`;
  const active = await runTool(system, { name: 'systemctl', args: ['is-active', '--quiet', unit] });
  if (active.code === 0) return true;
  if ((await findProgram(system, 'nmcli')) === undefined) return false;
  const args = ['--get-values', 'connection.uuid', 'connection', 'show', 'uuid', profileUuid(name)];
  return (await runTool(system, { name: 'nmcli', args, timeoutMs: 10_000 })).code === 0;
}

async function names(system: LinuxSystem, folder: string): Promise<string[]> {
  return ((await readdir(at(system, folder)).catch(ignoreMissing)) ?? []).toSorted();
}
