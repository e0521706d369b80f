import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { link, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { unusable } from '../../core/read-given-file.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';
import { VERSION } from '../../core/version.ts';
import type { P256Jwk } from '../../protocol/common.ts';
import { readSliceConfig } from '../config/slice-config.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { openRegistry, requireRegistry } from '../open-registry.ts';
import { collectSlice, type Collected } from './collect-slice.ts';
import type { Manifest } from './manifest.ts';
import { operatorEntry } from './operator-entry.ts';
import { seal } from './sealed-file.ts';

export interface BackupOptions {
  readonly dir: string;
  /** The file to write; it must not be there yet. */
  readonly output: string;
  readonly recipients: readonly P256Jwk[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Copies that are not encrypted yet are in the folder of the slice, whose keys are there too, and nowhere else. */
const WORK = '.backup-';

/**
 * Writes a slice into one encrypted file, while it may be running. The file appears whole, or not at all; what a killed backup left behind, the next one
 * removes.
 * @throws KiwiError `slice-missing`, `slice-damaged`, `file-unusable`, `disk-full`, `cancelled`
 */
export async function writeBackup(options: BackupOptions): Promise<Manifest & { readonly bytes: number }> {
  const { dir, output, clock, signal } = options;
  const { customer } = await readSliceConfig(dir);
  const paths = slicePaths(dir);
  requireRegistry(paths);
  await removeLeftovers(dir);
  const at = new Date(clock.now()).toISOString();
  const work = await mkdtemp(path.join(dir, `${WORK}${process.pid}-`));
  try {
    const files = await collectSlice(dir, work, clock);
    signal.throwIfAborted();
    const listed = files.map(({ from: _, ...file }) => file);
    const manifest: Manifest = { form: 'kiwistack-backup/1', customer, at, version: VERSION, files: listed };
    const bytes = await writeWhole(output, seal(options.recipients, contentOf(manifest, files, signal)));
    await writeDurableFile(paths.lastBackup, `${JSON.stringify({ at, file: output })}\n`, 0o600);
    const registry = openRegistry(paths);
    try {
      const why = `${files.length} files, to ${options.recipients.length} keys`;
      await registry.audit(operatorEntry('slice.backup', why), clock.now());
    } finally {
      registry.close();
    }
    return { ...manifest, bytes };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Those of processes that are no more: another backup may be under way. */
async function removeLeftovers(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const pid = /^\.backup-(\d+)-/u.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await rm(path.join(dir, name), { recursive: true });
  }
}

/** The manifest with its length before it, and the files after it. */
async function* contentOf(
  manifest: Manifest,
  files: readonly Collected[],
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const list = Buffer.from(JSON.stringify(manifest));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(list.length);
  yield length;
  yield list;
  for (const { from } of files) {
    for await (const chunk of createReadStream(from)) {
      signal.throwIfAborted();
      yield chunk as Buffer;
    }
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is no folder',
  EACCES: 'may not be written to by this user',
};

/** Under another name first: a file that was cut off never has the name of a backup. */
async function writeWhole(output: string, content: AsyncIterable<Buffer>): Promise<number> {
  const partial = `${output}.${randomBytes(6).toString('hex')}.partial`;
  const handle = await open(partial, 'wx', 0o600).catch((cause: unknown) => {
    const why = WHY[systemErrorCode(cause) ?? ''];
    throw why === undefined ? cause : unusable(path.dirname(output), why, { option: '--output', cause });
  });
  try {
    let bytes = 0;
    for await (const chunk of content) {
      await handle.write(chunk);
      bytes += chunk.length;
    }
    await handle.sync();
    await handle.close();
    // A hard link replaces nothing, as a rename would.
    await link(partial, output);
    return bytes;
  } catch (error) {
    await handle.close().catch(() => undefined);
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    throw new KiwiError('file-unusable', { detail: `${output} exists already`, cause: error });
  } finally {
    await rm(partial, { force: true });
  }
}
