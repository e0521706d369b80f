import { constants } from 'node:fs';
import { access, lstat, open, readdir, stat, statfs } from 'node:fs/promises';

import { ignoreMissing } from '../../src/core/durable-file.ts';
import { systemErrorCode } from '../../src/core/system-error-code.ts';
import type { DiskFacts, FileFacts } from '../../src/laptop/system/inspector.ts';

/** Links are not followed; undefined when there is nothing. */
export async function fileFacts(file: string): Promise<FileFacts | undefined> {
  const found = await lstat(file).catch(ignoreMissing);
  if (found === undefined) return undefined;
  const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
  return { kind, mode: found.mode & 0o7777, uid: found.uid, modifiedAt: found.mtimeMs };
}

/** Sorted; none when there is no such folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  return ((await readdir(folder).catch(ignoreMissing)) ?? []).toSorted();
}

export async function diskFacts(folder: string): Promise<DiskFacts | undefined> {
  const found = await statfs(folder).catch(ignoreMissing);
  if (found === undefined) return undefined;
  // access(2): EROFS even for root; who may not write otherwise learns nothing of the mount.
  const writable = await access(folder, constants.W_OK).then(
    () => true,
    (error: unknown) => systemErrorCode(error) !== 'EROFS',
  );
  return {
    writable,
    freeBytes: found.bavail * found.bsize,
    freeInodes: found.files === 0 ? undefined : found.ffree,
    fileSystem: String((await stat(folder)).dev),
  };
}

/** Gives a file or folder to root, with at most these permission bits. A link is not followed, but refused. */
export async function restrictFile(file: string, mode: number): Promise<void> {
  // On the handle: between a look at the path and a change of it, another file could take its place.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    // First the mode: its owner could read it until it is root's.
    await handle.chmod(found.mode & mode);
    if (found.uid !== 0) await handle.chown(0, 0);
  } finally {
    await handle.close();
  }
}
