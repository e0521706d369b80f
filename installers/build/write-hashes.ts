import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const NAME = 'files.sha256';

/**
 * Writes `files.sha256` into a folder: `SHA-256  NAME` for each file below it. By these `doctor` sees whether a file is as the package delivered it;
 * neither Windows Installer nor macOS keeps hashes.
 */
export async function writeHashes(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((name) => name !== NAME)
    .toSorted();
  let lines = '';
  for (const name of names) {
    const hash = createHash('sha256').update(await readFile(path.join(folder, name)));
    lines += `${hash.digest('hex')}  ${name}\n`;
  }
  await writeFile(path.join(folder, NAME), lines);
}
