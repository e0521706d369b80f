import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The three views of a disk: what was written, what is visible, and the layers below (the first one that has a path
 * counts).
 */
export interface DiskView {
  readonly upper: string;
  readonly merged: string;
  readonly lower: readonly string[];
  /** Folders that are not compared. */
  readonly except: readonly string[];
}

/**
 * Compares a disk with its delivered state; see `Laptop.changes` for the lines. The disk may be in use: a file that
 * vanishes in the meantime counts as gone.
 */
export async function diskChanges(view: DiskView): Promise<string[]> {
  const lines: string[] = [];
  await compareFolder(view, '', lines);
  return lines.sort();
}

async function compareFolder(view: DiskView, folder: string, lines: string[]): Promise<void> {
  const seen = new Set(await namesIn(join(view.merged, folder)));
  const written = await namesIn(join(view.upper, folder));
  // Only folders that were written to can have lost an entry, and all of these are in the upper layer.
  for (const name of await deliveredNames(view, folder)) {
    const path = `${folder}/${name}`;
    if (!seen.has(name) && !excepted(view, path)) lines.push(`${path} gone`);
  }
  for (const name of written) {
    const path = `${folder}/${name}`;
    if (!seen.has(name) || excepted(view, path)) continue;
    const now = await describeIfThere(join(view.merged, path));
    const before = await delivered(view, path);
    if (now !== before) lines.push(`${path} ${now ?? 'gone'}`);
    if (now?.startsWith('dir ') === true) await compareFolder(view, path, lines);
  }
}

function excepted(view: DiskView, path: string): boolean {
  return view.except.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function deliveredNames(view: DiskView, folder: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const layer of view.lower) for (const name of await namesIn(join(layer, folder))) names.add(name);
  for (const name of names) if ((await delivered(view, `${folder}/${name}`)) === undefined) names.delete(name);
  return names;
}

async function delivered(view: DiskView, path: string): Promise<string | undefined> {
  for (const layer of view.lower) {
    try {
      const text = await describe(join(layer, path));
      return text === 'whiteout' ? undefined : text;
    } catch (error) {
      // A parent folder is whited out here, or is a file: the layers below do not count.
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
      if (!isMissing(error)) throw error;
    }
  }
  return undefined;
}

async function describeIfThere(path: string): Promise<string | undefined> {
  try {
    return await describe(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function describe(path: string): Promise<string> {
  const stat = await lstat(path);
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0');
  const owner = stat.uid === 0 && stat.gid === 0 ? '' : ` ${stat.uid}:${stat.gid}`;
  if (stat.isSymbolicLink()) return `link ${await readlink(path)}`;
  if (stat.isDirectory()) return `dir ${mode}${owner}`;
  if (stat.isFile())
    return `file ${mode}${owner} ${createHash('sha256')
      .update(await readFile(path))
      .digest('hex')}`;
  if (stat.isCharacterDevice() && stat.rdev === 0) return 'whiteout';
  return `special ${mode}${owner}`;
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
