import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, rm, unlink } from 'node:fs/promises';
import path from 'node:path';

import { faultPoint } from './fault-point.ts';
import { systemErrorCode } from './system-error-code.ts';

/** Temporary files that this process is writing. Others with such a name were left by a process that was killed. */
const underway = new Set<string>();

/**
 * Replaces a file so that after a crash at any point either the old or the new content is there, whole: temporary file in the
 * same folder (O_EXCL, so that a planted link is not followed), fsync, rename, fsync of the folder. What a process that was
 * killed while writing left behind is removed, so only one process at a time may write a file.
 *
 * @param mode permission bits of the new file, set before any byte of content is written.
 */
export async function writeDurableFile(file: string, content: Uint8Array | string, mode: number): Promise<void> {
  const folder = path.dirname(file);
  await removeLeftovers(file);
  const temporary = path.join(folder, `${temporaryPrefix(file)}${randomBytes(6).toString('hex')}.tmp`);
  underway.add(temporary);
  try {
    await writeAndRename(temporary, file, content, mode);
  } finally {
    underway.delete(temporary);
  }
  faultPoint(`file:${path.basename(file)}:renamed`);
  await syncFolder(folder);
}

async function writeAndRename(
  temporary: string,
  file: string,
  content: Uint8Array | string,
  mode: number,
): Promise<void> {
  const handle = await open(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  const point = `file:${path.basename(file)}`;
  try {
    await handle.chmod(mode);
    faultPoint(`${point}:created`);
    await handle.writeFile(content);
    await handle.sync();
    await handle.close();
    faultPoint(`${point}:written`);
    await rename(temporary, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

const temporaryPrefix = (file: string): string => `.${path.basename(file)}.`;

/** Removes what a killed write of the file left behind, not the file itself. */
export async function removeLeftovers(file: string): Promise<void> {
  const folder = path.dirname(file);
  const prefix = temporaryPrefix(file);
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const name of names) {
    const leftover = path.join(folder, name);
    if (!name.startsWith(prefix) || !/^[0-9a-f]{12}\.tmp$/.test(name.slice(prefix.length))) continue;
    if (!underway.has(leftover)) await rm(leftover, { force: true });
  }
}

/** Removes a file durably, and what a killed write of it left behind; a missing file is not an error. */
export async function removeDurableFile(file: string): Promise<void> {
  await removeLeftovers(file);
  try {
    await unlink(file);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  faultPoint(`file:${path.basename(file)}:removed`);
  await syncFolder(path.dirname(file));
}

/**
 * Gives a file another name on the same file system, durably and with everything that belongs to it (mode, owner, times). A file
 * that has the new name already is replaced.
 */
export async function renameDurableFile(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(path.dirname(to));
}

/** True for ENOENT: the file or one of its folders is missing. */
export function isMissing(error: unknown): boolean {
  return systemErrorCode(error) === 'ENOENT';
}

/** For `catch`: returns undefined for a missing file and rethrows any other error. */
export function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}

/** On Windows no program can flush a folder: NTFS keeps a journal of its own of names, and a rename is in it whole or not at all. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
