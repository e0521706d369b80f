import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';

import { KiwiError } from './errors.ts';
import { systemErrorCode } from './system-error-code.ts';

/** The system's codes that whoever named the file can do something about. */
const UNUSABLE: Readonly<Record<string, string>> = {
  EEXIST: 'exists already',
  ENOENT: 'is in a folder that does not exist',
  ENOTDIR: 'is in a folder that does not exist',
  EACCES: 'is in a folder that you may not write to',
  EROFS: 'is on a disk that cannot be written to',
};

/**
 * Writes a file that is not there yet, readable by its owner alone. What is there, a link too, is never followed or overwritten; a file
 * that could not be written whole is removed again.
 * @throws KiwiError `file-unusable` when there is something, or it cannot be made there; the system's own error when it cannot be written
 */
export async function writeNewFile(file: string, text: string | AsyncIterable<string>): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(file, flags, 0o600).catch((error: unknown) => {
    const why = UNUSABLE[systemErrorCode(error) ?? ''];
    if (why === undefined) throw error;
    throw new KiwiError('file-unusable', { detail: `${file} ${why}`, cause: error });
  });
  try {
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(file);
    throw error;
  }
}
