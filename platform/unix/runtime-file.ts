import { mkdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../src/core/durable-file.ts';
import { at, RUNTIME_FOLDER, type UnixSystem } from './system.ts';

/**
 * Passes text to a program that reads only files: while `use` runs, the text is in a file that only root can read.
 * Afterwards file and folder are removed.
 */
export async function withRuntimeFile<Result>(
  system: UnixSystem,
  name: string,
  text: string,
  use: (file: string) => Promise<Result>,
): Promise<Result> {
  const folder = at(system, system.runtimeFolder ?? RUNTIME_FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, name);
  try {
    await writeDurableFile(file, text, 0o600);
    return await use(file);
  } finally {
    await rm(file, { force: true });
    await rmdir(folder).catch(() => undefined); // not empty: another call still uses it
  }
}
