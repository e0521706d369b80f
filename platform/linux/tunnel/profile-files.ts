import { readdir } from 'node:fs/promises';
import path from 'node:path';

import { ignoreMissing } from '../../../src/core/durable-file.ts';
import { readCappedFile } from '../../../src/core/read-capped-file.ts';
import { MARKER } from '../../../src/laptop/system/found.ts';
import { profileUuid } from '../../../src/laptop/tunnel/profile-uuid.ts';
import { PATHS } from '../paths.ts';
import { at, type LinuxSystem } from '../system.ts';

export interface ProfileFile {
  /** Of the interface that it is for. */
  readonly name: string;
  readonly file: string;
  readonly ours: boolean;
}

/** As `tunnelInterfaceName` makes it. */
export const NAME = String.raw`kiwi-[a-z0-9-]{1,10}`;
const MAX_BYTES = 64 * 1024;
/** Where NetworkManager looks for profiles (nm-settings-keyfile(5)); netplan puts its own into the second. */
const KEYFILES = [
  PATHS.networkManager,
  '/run/NetworkManager/system-connections',
  '/usr/lib/NetworkManager/system-connections',
] as const;
const CONFIG = new RegExp(`^(${NAME})\\.conf$`);
const INTERFACE_NAME = new RegExp(`^interface-name=(${NAME})$`, 'mu');

/** Every profile, of whatever program, for an interface with a name like ours. A file that may not be read is left out. */
export async function profileFiles(system: LinuxSystem): Promise<ProfileFile[]> {
  const found: ProfileFile[] = [];
  for (const entry of await entries(system, PATHS.wireguard)) {
    const name = CONFIG.exec(entry)?.[1];
    const file = `${PATHS.wireguard}/${entry}`;
    if (name !== undefined)
      found.push({ name, file, ours: await look(system, file, (text) => isOurs(text, file, name)) });
  }
  for (const folder of KEYFILES) {
    for (const entry of await entries(system, folder)) {
      const file = `${folder}/${entry}`;
      if (entry.startsWith('.')) continue;
      const mine = await look(system, file, (text) => {
        const name = INTERFACE_NAME.exec(text)?.[1];
        return name === undefined ? undefined : { name, file, ours: isOurs(text, file, name) };
      });
      if (mine !== undefined && mine !== false) found.push(mine);
    }
  }
  return found;
}

/** The profiles of other programs for this interface. */
export async function foreignProfiles(system: LinuxSystem, name: string): Promise<string[]> {
  return (await profileFiles(system)).filter((one) => one.name === name && !one.ours).map(({ file }) => file);
}

/** The text of a profile of ours, with its secrets. */
export async function readProfile(system: LinuxSystem, file: string, name: string): Promise<string | undefined> {
  const bytes = await readCappedFile(at(system, file), { maxBytes: MAX_BYTES }).catch(ignoreMissing);
  const text = bytes?.toString();
  bytes?.fill(0);
  return text !== undefined && isOurs(text, file, name) ? text : undefined;
}

/** NetworkManager loses the marker when it rewrites a file, and keeps the UUID. */
function isOurs(text: string, file: string, name: string): boolean {
  if (!file.endsWith('.nmconnection')) return text.startsWith(MARKER);
  return path.basename(file, '.nmconnection') === name && text.includes(`\nuuid=${profileUuid(name)}\n`);
}

async function look<T>(system: LinuxSystem, file: string, judge: (text: string) => T): Promise<T | false> {
  const bytes = await readCappedFile(at(system, file), { maxBytes: MAX_BYTES }).catch(() => undefined);
  if (bytes === undefined) return false;
  const judgement = judge(bytes.toString());
  // It holds private keys.
  bytes.fill(0);
  return judgement;
}

async function entries(system: LinuxSystem, folder: string): Promise<string[]> {
  return ((await readdir(at(system, folder)).catch(ignoreMissing)) ?? []).toSorted();
}
