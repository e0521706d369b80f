import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';

import { KiwiError } from './errors.ts';
import { systemErrorCode } from './system-error-code.ts';

/**
 * Writes a file that is not there yet, readable by its owner alone. What is there, a link too, is never followed or overwritten; a file
 * that could not be written whole is removed again.
 * @throws KiwiError `file-unusable` when there is something; the system's own error when it cannot be written
 */
export async function writeNewFile(file: string, text: string | AsyncIterable<string>): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(file, flags, 0o600).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    throw new KiwiError('file-unusable', { detail: `${file} exists already`, cause: error });
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
