import { chmod, lstat, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** Writes a file of a package's tree, with the folders above it. */
export type Put = (target: string, content: string | Buffer, mode?: number) => Promise<void>;

export function putInto(root: string): Put {
  return async (target, content, mode = 0o644) => {
    const file = path.join(root, target);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    await chmod(file, mode);
  };
}

/** As Debian wants its documents: without a name or time of their own. */
export function gzip(content: string | Buffer): Buffer {
  return gzipSync(content, { level: 9 });
}

/**
 * Sets the modes that Debian requires, whatever the umask was, and the same time on every file.
 * @param isPlain files that keep the mode of their source although they are no programs
 */
export async function tidyTree(
  folder: string,
  epochSeconds: number,
  isPlain: (name: string) => boolean = () => false,
): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const stat = await lstat(file);
    if (stat.isSymbolicLink()) continue;
    if (stat.isDirectory()) await tidyTree(file, epochSeconds, isPlain);
    else if (isPlain(name)) await chmod(file, 0o644);
    await utimes(file, epochSeconds, epochSeconds);
  }
  await chmod(folder, 0o755);
  await utimes(folder, epochSeconds, epochSeconds);
}

/** `Installed-Size` of deb-control(5), counted like debhelper does: a folder is one kibibyte. */
export async function installedKib(root: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    bytes += entry.isFile() ? (await lstat(path.join(entry.parentPath, entry.name))).size : 1024;
  }
  return Math.ceil(bytes / 1024);
}
