import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, statfs, utimes } from 'node:fs/promises';
import path from 'node:path';

import { addKernel } from './add-kernel.ts';
import { forgetOthers, provideDebian } from './provide-debian.ts';
import { settleRoot } from './settle-root.ts';
import { MachineError, requireTools, runTool, tools } from './tools.ts';
import { writeManifest } from './write-manifest.ts';

const HERE = import.meta.dirname;
const CACHE = path.join(HERE, '..', '..', '..', '.cache', 'machine');
const FILES = path.join(HERE, 'files');
/** Enough for what the tests install, and small enough for a test to fill the disk. */
const DISK_SIZE = '4G';
const NEEDED_MB = 3_000;

/** What a machine starts from. */
export interface Image {
  /** The disk as delivered (raw, ext4 without partitions); never written to. */
  readonly disk: string;
  readonly kernel: string;
  readonly initramfs: string;
  /** SHA-256 of every file on the delivered disk, in the format of sha256sum. */
  readonly manifest: string;
}

/** The image from the cache; built first if there is none for this list of packages and these scripts. */
export async function provideImage(progress: (what: string) => void = () => undefined): Promise<Image> {
  requireTools();
  const folder = path.join(CACHE, await imageKey());
  if (!existsSync(folder)) await build(folder, progress);
  await utimes(folder, new Date(), new Date());
  return {
    disk: path.join(folder, 'disk.ext4'),
    kernel: path.join(folder, 'vmlinuz'),
    initramfs: path.join(folder, 'initramfs'),
    manifest: path.join(folder, 'manifest'),
  };
}

/** Changes with every file of this folder. */
async function imageKey(): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(HERE, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(path.relative(HERE, file)).update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}

async function build(folder: string, progress: (what: string) => void): Promise<void> {
  const started = performance.now();
  const say = (what: string): void => progress(`${((performance.now() - started) / 1000).toFixed(0)} s  ${what}`);
  if (process.getuid?.() !== 0) throw new MachineError('the machine is built by root', 'run it again as root');
  await mkdir(CACHE, { recursive: true });
  const { bavail, bsize } = await statfs(CACHE);
  const free = Math.floor((bavail * bsize) / 1_000_000);
  if (free < NEEDED_MB) {
    throw new MachineError(`${NEEDED_MB} MB are needed for the machine's disk, ${free} MB are free`, 'make room');
  }
  // Two processes may build at once: the first to finish wins.
  const work = path.join(CACHE, `building-${process.pid}`);
  const root = path.join(work, 'root');
  const out = path.join(work, 'out');
  try {
    await mkdir(out, { recursive: true, mode: 0o755 });
    const debian = await provideDebian(CACHE, say);
    await runTool('/bin/cp', ['-a', '--reflink=auto', `${debian}/.`, work]);
    say('its kernel and initramfs');
    await addKernel({ packageFolder: path.join(work, 'kernel'), root, out, initScript: path.join(FILES, 'init.sh') });
    say('its settings and the hand of the tests');
    await settleRoot(root, FILES);
    say('its list of files');
    await writeManifest(root, path.join(out, 'manifest'));
    say('its disk');
    const disk = ['-q', '-t', 'ext4', '-E', 'lazy_itable_init=1,lazy_journal_init=1', '-d', root];
    await runTool(tools.mke2fs[0], [...disk, '-F', path.join(out, 'disk.ext4'), DISK_SIZE]);
    await rename(out, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await forgetOthers(CACHE, path.basename(folder));
  say('the machine is ready to boot');
}
