import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import type { Partition } from './partition-table.ts';

export interface PlacedFile {
  /** Absolute, on the laptop; its folder exists. */
  readonly target: string;
  readonly content: Buffer;
  readonly mode: number;
}

/** What debugfs takes as one word without quoting. */
const PLAIN = /^(?:\/[A-Za-z0-9._@-]+)+$/u;
const MAX_BYTES = 64 << 20;

/**
 * Writes files into an ext4 partition of a disk that is not in use, owned by root, without mounting it: no loop device, no kernel support,
 * no rights but those to write to the disk. What is there under that name is replaced. Each file is read back and compared, because
 * debugfs ends with 0 whatever happened.
 *
 * @throws KiwiError `file-unusable` when a folder is missing; `program-failed` when a file is not there afterwards as it should be
 */
export async function putFiles(
  debugfs: string,
  place: { readonly disk: string; readonly partition: Partition },
  files: readonly PlacedFile[],
): Promise<void> {
  for (const folder of new Set(files.map(({ target }) => path.posix.dirname(target)))) {
    // Or `cd` would fail, and the file would be written to another folder.
    if (!/Type: directory/u.test(await statText(debugfs, place, folder))) {
      throw new KiwiError('file-unusable', { detail: `${place.disk} has no folder ${folder}` });
    }
  }
  const work = await mkdtemp(path.join(tmpdir(), 'kiwi-image-'));
  try {
    const commands: string[] = [];
    for (const [index, { target, content, mode }] of files.entries()) {
      const name = `content-${index.toString()}`;
      await writeFile(path.join(work, name), content, { mode: 0o600 });
      // In the folder itself: `write` takes no other.
      commands.push(`cd ${path.posix.dirname(target)}`, `rm ${path.posix.basename(target)}`);
      commands.push(`write ${name} ${path.posix.basename(target)}`);
      const field = `set_inode_field ${target}`;
      commands.push(`${field} mode 0${(0o100000 | mode).toString(8)}`, `${field} uid 0`, `${field} gid 0`);
    }
    await debugfsOn(debugfs, place, ['-w', '-f', '-'], { cwd: work, input: `${commands.join('\n')}\n` });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  for (const { target, content, mode } of files) {
    const found = await readPlacedFile(debugfs, place, target);
    if (found?.content.equals(content) === true && found.mode === mode && found.owner === '0:0') continue;
    throw new KiwiError('program-failed', { detail: `debugfs: ${target} is not in the image as it should be` });
  }
}

/** A file of such a partition; undefined when there is none. */
export async function readPlacedFile(
  debugfs: string,
  place: { readonly disk: string; readonly partition: Partition },
  target: string,
): Promise<{ content: Buffer; mode: number; owner: string } | undefined> {
  const about = await statText(debugfs, place, target);
  const found = /Type: regular +Mode: +(?<mode>[0-7]+)[^]*?User: +(?<uid>\d+) +Group: +(?<gid>\d+)/u.exec(
    about,
  )?.groups;
  if (found === undefined) return undefined;
  return {
    content: await debugfsOn(debugfs, place, ['-R', `cat ${target}`]),
    mode: Number.parseInt(found['mode'] ?? '', 8) & 0o7777,
    owner: `${found['uid'] ?? ''}:${found['gid'] ?? ''}`,
  };
}

/** Without the type of a file when there is none. */
async function statText(
  debugfs: string,
  place: { readonly disk: string; readonly partition: Partition },
  target: string,
): Promise<string> {
  if (!PLAIN.test(target)) throw new TypeError('a plain absolute path');
  return (await debugfsOn(debugfs, place, ['-R', `stat ${target}`])).toString();
}

async function debugfsOn(
  debugfs: string,
  { disk, partition }: { readonly disk: string; readonly partition: Partition },
  args: readonly string[],
  more: { cwd?: string; input?: string } = {},
): Promise<Buffer> {
  // The library of e2fsprogs takes options after the first question mark of a name.
  if (disk.includes('?'))
    throw new KiwiError('usage', { detail: `the path of the image has a question mark: ${disk}` });
  const { stdout } = await runChecked({
    program: debugfs,
    args: [...args, `${path.resolve(disk)}?offset=${partition.start.toString()}`],
    maxOutputBytes: MAX_BYTES,
    timeoutMs: 300_000,
    ...(more.cwd === undefined ? {} : { cwd: more.cwd }),
    ...(more.input === undefined ? {} : { input: Buffer.from(more.input) }),
  });
  return stdout;
}
