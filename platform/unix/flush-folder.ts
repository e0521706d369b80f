import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import path from 'node:path';

import { ignoreMissing } from '../../src/core/durable-file.ts';

/**
 * Puts on the disk what another program has written below a folder without waiting for it (fsync(2) of each file and folder). Links and sockets
 * are not followed; what goes meanwhile is not missed.
 */
export async function flushFolder(folder: string): Promise<void> {
  for (const entry of (await readdir(folder, { withFileTypes: true }).catch(ignoreMissing)) ?? []) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) await flushFolder(file);
    else if (entry.isFile()) await flush(file);
  }
  await flush(folder);
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    ignoreMissing,
  );
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}
