import { mkdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../src/core/durable-file.ts';
import { PATHS } from './paths.ts';
import { at, type LinuxSystem } from './system.ts';

/**
 * Passes text to a program that reads only files: while `use` runs, the text is in a file on a tmpfs that only root can read.
 * Afterwards file and folder are removed.
 */
export async function withRuntimeFile<Result>(
  system: LinuxSystem,
  name: string,
  text: string,
  use: (file: string) => Promise<Result>,
): Promise<Result> {
  const folder = at(system, PATHS.runtime);
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
