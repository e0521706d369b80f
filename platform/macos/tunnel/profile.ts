import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../../src/core/durable-file.ts';
import { readCappedFile } from '../../../src/core/read-capped-file.ts';
import { MARKER } from '../../../src/laptop/system/found.ts';
import { interfaceFile } from '../jobs.ts';
import { PATHS } from '../paths.ts';
import { at, type MacSystem } from '../system.ts';

const MAX_BYTES = 64 * 1024;
/** wireguard-go writes the file and makes the socket in the same moment; wg-quick allows as much. */
const SAME_START_MS = 2_000;

export const profilePath = (tunnel: string): string => `${PATHS.tunnel}/${tunnel}.conf`;

/** The text of a profile of ours, in the words of wg-quick(8), with its secrets. */
export async function readProfile(system: MacSystem, tunnel: string): Promise<string | undefined> {
  const file = at(system, profilePath(tunnel));
  const bytes = await readCappedFile(file, { maxBytes: MAX_BYTES, private: true }).catch(ignoreMissing);
  const text = bytes?.toString();
  bytes?.fill(0);
  return text?.startsWith(MARKER) === true ? text : undefined;
}

/** Does nothing when it is the same already. What runs goes on as it is. */
export async function writeProfile(system: MacSystem, tunnel: string, text: string): Promise<void> {
  if ((await readProfile(system, tunnel)) === text) return;
  await mkdir(at(system, PATHS.tunnel), { recursive: true, mode: 0o700 });
  await writeDurableFile(at(system, profilePath(tunnel)), text, 0o600);
}

export async function removeProfile(system: MacSystem, tunnel: string): Promise<void> {
  for (const file of [profilePath(tunnel), interfaceFile(tunnel)]) {
    if ((await stat(path.dirname(at(system, file))).catch(ignoreMissing)) !== undefined) {
      await removeDurableFile(at(system, file));
    }
  }
  // Not empty while there is another.
  await rmdir(at(system, PATHS.tunnel)).catch(() => undefined);
}

/** Of tunnels that have a profile, or what a killed write of one left. */
export async function profileNames(system: MacSystem): Promise<{ readonly name: string; readonly file: string }[]> {
  const files = ((await readdir(at(system, PATHS.tunnel)).catch(ignoreMissing)) ?? []).toSorted();
  return files.flatMap((file) => {
    const name = /^\.?(kiwi-[a-z0-9-]{1,10})\.(?:conf|interface)(?:\.[0-9a-f]{12}\.tmp)?$/u.exec(file)?.[1];
    return name === undefined ? [] : [{ name, file: `${PATHS.tunnel}/${file}` }];
  });
}

/**
 * The interface that wireguard-go has made for this tunnel: `utun5`. The file stays when it is killed, and another program may get the
 * number: so the interface has to have its socket, made in the same moment.
 */
export async function interfaceOf(system: MacSystem, tunnel: string): Promise<string | undefined> {
  const file = at(system, interfaceFile(tunnel));
  const bytes = await readCappedFile(file, { maxBytes: 64 }).catch(() => undefined);
  const name = /^(utun\d{1,5})\s*$/u.exec(bytes?.toString() ?? '')?.[1];
  if (name === undefined) return undefined;
  const [written, made] = await Promise.all(
    [file, at(system, `${PATHS.sockets}/${name}.sock`)].map((one) => stat(one).catch(() => undefined)),
  );
  if (written === undefined || made === undefined) return undefined;
  return Math.abs(written.mtimeMs - made.mtimeMs) <= SAME_START_MS ? name : undefined;
}
