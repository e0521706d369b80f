import type { KeyObject } from 'node:crypto';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { ignoreMissing } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readFleetConfig } from '../config/fleet-config.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { openRegistry } from '../open-registry.ts';
import type { Manifest } from './manifest.ts';
import { operatorEntry } from './operator-entry.ts';
import { readBackup, type TakeFile } from './read-backup.ts';

export interface RestoreOptions {
  readonly file: string;
  readonly key: KeyObject;
  /** Where the slice is to be: an empty folder, or none. */
  readonly dir: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface Restored extends Manifest {
  /** Files that the slice needs and that were never in its folder: the packages of Fleet's agent. */
  readonly missing: readonly string[];
}

/**
 * Makes a slice of a backup: in a folder beside, which gets its name when every file was compared and the audit says what was done.
 * @throws KiwiError `slice-exists`, `usage`, `backup-damaged`, `backup-key-refused`, `disk-full`, `cancelled`
 */
export async function restoreBackup({ file, key, dir, clock, signal }: RestoreOptions): Promise<Restored> {
  await refuseFilled(dir);
  const draft = path.join(path.dirname(dir), `.${path.basename(dir)}.${randomBytes(6).toString('hex')}.restore`);
  await mkdir(path.dirname(dir), { recursive: true });
  await mkdir(draft, { mode: 0o700 });
  try {
    const take: TakeFile = async (entry, parts) => {
      const target = path.join(draft, entry.path);
      await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
      const handle = await open(target, 'wx', 0o600);
      try {
        for await (const part of parts) {
          signal.throwIfAborted();
          await handle.write(part);
        }
        await handle.chmod(entry.mode);
        await handle.sync();
      } finally {
        await handle.close();
      }
    };
    const manifest = await readBackup(file, key, { take });
    const paths = slicePaths(draft);
    await mkdir(paths.run.dir, { mode: 0o700 });
    const registry = openRegistry(paths);
    try {
      const why = `from a backup of ${manifest.at}, written by version ${manifest.version}`;
      await registry.audit(operatorEntry('slice.restore', why), clock.now());
    } finally {
      registry.close();
    }
    const packages = (await readFleetConfig(draft))?.packages ?? [];
    const missing = packages.map((entry) => entry.file).filter((needed) => !existsSync(needed));
    await rmdir(dir).catch(ignoreMissing);
    await rename(draft, dir);
    return { ...manifest, missing };
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function refuseFilled(dir: string): Promise<void> {
  const names = (await readdir(dir).catch(ignoreMissing)) ?? [];
  if (names.includes('slice.json')) throw new KiwiError('slice-exists', { detail: dir });
  if (names.length > 0) throw new KiwiError('usage', { detail: `--dir: ${dir} holds other files` });
}
