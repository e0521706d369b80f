import { readdir } from 'node:fs/promises';

import { ignoreMissing } from '../../../src/core/durable-file.ts';
import { readCappedFile } from '../../../src/core/read-capped-file.ts';
import { MARKER, type Found } from '../../../src/laptop/system/found.ts';
import { PATHS } from '../paths.ts';
import { at, findProgram, runTool, type LinuxSystem } from '../system.ts';

/** The drop-in that chooses the userspace program. */
export const TUNNEL_DROP_IN = '10-kiwistack-userspace.conf';

export interface FoundTunnel extends Found {
  /** Of the interface. */
  readonly name: string;
}

/** As `tunnelInterfaceName` makes it. */
const NAME = String.raw`kiwi-[a-z0-9-]{1,10}`;
const CONFIG = new RegExp(`^(${NAME})\\.conf$`);
const UNFINISHED_CONFIG = new RegExp(`^\\.(${NAME})\\.conf\\.[0-9a-f]{12}\\.tmp$`);
const UNIT = new RegExp(`^wg-quick@(${NAME})\\.service$`);
const DROP_IN_FOLDER = new RegExp(`^wg-quick@(${NAME})\\.service\\.d$`);
const INTERFACE = new RegExp(`^\\d+: (${NAME})(?:@\\S+)?:`);

/**
 * Tunnels of ours: configurations with our marker, units and drop-ins of our names, and interfaces that such a unit brought
 * up. A configuration without the marker is somebody else's, and so is everything of its name. An interface that no unit
 * brought up may be that of a slice on this machine: it is reported, but not called ours.
 */
export async function findTunnels(system: LinuxSystem): Promise<FoundTunnel[]> {
  const found: FoundTunnel[] = [];
  const foreign = new Set<string>();
  for (const file of await names(system, PATHS.wireguard)) {
    const what = `${PATHS.wireguard}/${file}`;
    const name = CONFIG.exec(file)?.[1];
    const unfinished = UNFINISHED_CONFIG.exec(file)?.[1];
    if (unfinished !== undefined) found.push({ name: unfinished, what, ours: true });
    if (name === undefined) continue;
    const ours = await hasMarker(at(system, what));
    if (!ours) foreign.add(name);
    found.push({ name, what, ours });
  }
  for (const folder of await names(system, PATHS.systemdUnits)) {
    const dropIns = DROP_IN_FOLDER.exec(folder)?.[1];
    const path = `${PATHS.systemdUnits}/${folder}`;
    if (dropIns === undefined && !folder.endsWith('.wants')) continue;
    for (const file of await names(system, path)) {
      const name = file === TUNNEL_DROP_IN || file.startsWith(`.${TUNNEL_DROP_IN}.`) ? dropIns : UNIT.exec(file)?.[1];
      if (name !== undefined) found.push({ name, what: `${path}/${file}`, ours: !foreign.has(name) });
    }
  }
  for (const name of await interfaces(system)) {
    const known = found.some((other) => other.ours && other.name === name);
    const ours = !foreign.has(name) && (known || (await isActive(system, `wg-quick@${name}.service`)));
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

async function isActive(system: LinuxSystem, unit: string): Promise<boolean> {
  return (await runTool(system, { name: 'systemctl', args: ['is-active', '--quiet', unit] })).code === 0;
}

async function hasMarker(file: string): Promise<boolean> {
  // Read as bytes and cleared: it holds the private key.
  const bytes = await readCappedFile(file, { maxBytes: 64 * 1024 }).catch(() => undefined);
  const marked = bytes?.subarray(0, MARKER.length).toString() === MARKER;
  bytes?.fill(0);
  return marked;
}

async function names(system: LinuxSystem, folder: string): Promise<string[]> {
  return ((await readdir(at(system, folder)).catch(ignoreMissing)) ?? []).toSorted();
}
