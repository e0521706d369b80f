import { readdir } from 'node:fs/promises';
import path from 'node:path';

import type { PackagedFile } from './render-wxs.ts';

/** The files of a folder and of all folders in it, as a feature of the package. @param under before each name in the package */
export async function packagedFiles(
  folder: string,
  under: string,
  feature: PackagedFile['feature'],
): Promise<PackagedFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((source) => ({ source, target: `${under}${path.relative(folder, source)}`, feature }));
}
