import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { KiwiError } from './errors.ts';

export interface ReadRules {
  /** Larger files are refused before they are read. */
  readonly maxBytes: number;
  /** Demand that only the owner can read it, and that the owner is root, ourselves or the `owner` named here. */
  readonly private?: boolean;
  readonly owner?: number;
}

/**
 * Reads a file as a privileged program must: opened once, links not followed, type, size, owner and mode checked on the
 * handle, and that same handle read.
 *
 * @throws KiwiError `state-damaged` when the file breaks a rule; the system's own error when it cannot be opened.
 */
export async function readCappedFile(file: string, rules: ReadRules): Promise<Buffer> {
  // O_NONBLOCK: opening a pipe that was put in the file's place would wait for a writer for ever.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    const refuse = (why: string): never => {
      throw new KiwiError('state-damaged', { detail: `${file}: ${why}` });
    };
    if (!stat.isFile()) refuse('not a regular file');
    if (stat.size > rules.maxBytes) refuse(`larger than ${rules.maxBytes} bytes`);
    // Windows has no such bits: there the folders of what is private are closed to others (platform/windows/folders.ts).
    if (rules.private === true && process.platform !== 'win32') {
      if ((stat.mode & 0o077) !== 0) refuse('others may read it');
      if (![0, process.getuid?.(), rules.owner].includes(stat.uid)) refuse('owned by another user');
    }
    const buffer = Buffer.alloc(stat.size);
    let length = 0;
    while (length < stat.size) {
      const { bytesRead } = await handle.read(buffer, length, stat.size - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}
