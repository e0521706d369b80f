import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';

interface Common {
  /** From where the package is laid out, without a leading slash; '' is that folder itself. */
  readonly target: string;
  /** Permission bits. */
  readonly mode: number;
}
export type Entry =
  | (Common & { readonly kind: 'folder' })
  | (Common & { readonly kind: 'link'; readonly to: string })
  | (Common & { readonly kind: 'file'; readonly content: Buffer | { readonly file: string } });

export async function contentOf(entry: Entry): Promise<Buffer> {
  if (entry.kind === 'folder') return Buffer.alloc(0);
  if (entry.kind === 'link') return Buffer.from(entry.to);
  return Buffer.isBuffer(entry.content) ? entry.content : readFile(entry.content.file);
}

/** What is below a folder, as it will be below `target`: 0755 where it can be executed, 0644 where not. */
export async function entriesBelow(folder: string, target: string): Promise<Entry[]> {
  const found: Entry[] = [{ kind: 'folder', target, mode: 0o755 }];
  for (const name of (await readdir(folder)).toSorted()) {
    const file = path.join(folder, name);
    const inside = target === '' ? name : `${target}/${name}`;
    const stat = await lstat(file);
    if (stat.isDirectory()) found.push(...(await entriesBelow(file, inside)));
    else if (stat.isSymbolicLink()) found.push({ kind: 'link', target: inside, mode: 0o755, to: await readlink(file) });
    else if (stat.isFile()) {
      found.push({ kind: 'file', target: inside, mode: (stat.mode & 0o111) === 0 ? 0o644 : 0o755, content: { file } });
    } else throw new KiwiError('file-unusable', { detail: `${file} is no file, folder or link` });
  }
  return found;
}

/** The folders above each of them too, each once, in the order in which they are made. */
export function withFolders(entries: readonly Entry[]): Entry[] {
  const all = new Map(entries.map((entry) => [entry.target, entry]));
  for (const { target } of entries) {
    const parts = target.split('/');
    for (let length = 0; length < parts.length; length += 1) {
      const above = parts.slice(0, length).join('/');
      if (!all.has(above)) all.set(above, { kind: 'folder', target: above, mode: 0o755 });
    }
  }
  // A folder comes before what is in it: its name is a beginning of theirs.
  return [...all.values()].toSorted((one, other) => (one.target < other.target ? -1 : 1));
}
