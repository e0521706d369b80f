import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Writes the SHA-256 of every file below `root`, with its path on the machine, in the format of sha256sum. */
export async function writeManifest(root: string, to: string): Promise<void> {
  const lines: string[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const digest = createHash('sha256').update(await readFile(file));
    lines.push(`${digest.digest('hex')}  /${path.relative(root, file)}\n`);
  }
  await writeFile(to, lines.sort().join(''));
}
