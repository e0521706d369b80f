import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

/**
 * Everything below a root, sorted, one a line: type, mode, owner, size or target, SHA-256 and path. Two images of the same inputs have the
 * same list; times are not in it.
 */
export async function listContents(root: string): Promise<string> {
  const lines: [string, string][] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const { mode, uid, gid, size } = await lstat(file);
    const about = `${(mode & 0o7777).toString(8).padStart(4, '0')} ${uid.toString()}:${gid.toString()}`;
    const name = `/${path.relative(root, file)}`;
    if (entry.isFile()) lines.push([name, `file ${about} ${size.toString()} ${await digestOf(file)} ${name}`]);
    else if (entry.isSymbolicLink()) lines.push([name, `link ${about} ${name} -> ${await readlink(file)}`]);
    else if (entry.isDirectory()) lines.push([name, `folder ${about} ${name}`]);
    else lines.push([name, `other ${about} ${name}`]);
  }
  // By code units: the order of no locale.
  lines.sort(([one], [other]) => (one < other ? -1 : 1));
  return lines.map(([, line]) => `${line}\n`).join('');
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
