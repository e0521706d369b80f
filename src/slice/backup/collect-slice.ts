import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { isMissing } from '../../core/durable-file.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { copyRegistry } from '../open-registry.ts';
import { copyStepCaDatabase } from './copy-step-ca-database.ts';
import type { Manifest } from './manifest.ts';

/** A file as it goes into a backup, and where its bytes are now. */
export type Collected = Manifest['files'][number] & { readonly from: string };

/** Below the folder of the slice. Whoever runs a slice anew has no use for what is not copied. */
const LEFT_OUT = [
  /^run$/u,
  /^ca\/step-ca\.log$/u,
  // The provider's root key: it belongs offline, in copies of its own.
  /^msp\/root\.key$/u,
  /^last-backup\.json$/u,
  /^\.backup-/u,
  /(?:^|\/)\.[^/]+\.tmp$/u,
  /^registry\.sqlite-(?:wal|shm)$/u,
];
const STEP_CA_DATABASE = 'ca/step-ca.db';

/**
 * Copies all that a slice is made of into a folder, while the slice may run: the checkpoint of the audit first, so that it knows no record that the
 * registry's copy does not have; then the registry, as it is at one moment; step-ca's database after it, so that what the registry takes for revoked is
 * revoked there; the rest at any time.
 */
export async function collectSlice(dir: string, into: string, clock: Clock): Promise<Collected[]> {
  const paths = slicePaths(dir);
  const relative = (file: string): string => path.relative(dir, file);
  const first = relative(paths.auditCheckpoint);
  const registry = relative(paths.registry);
  const found = await filesBelow(dir);
  const rank = (name: string): number => [first, registry, STEP_CA_DATABASE].indexOf(name);
  const ordered = [
    ...found.filter((name) => rank(name) !== -1).sort((one, other) => rank(one) - rank(other)),
    ...found.filter((name) => rank(name) === -1),
  ];
  const collected: Collected[] = [];
  for (const name of ordered) {
    const from = path.join(dir, name);
    const copy = path.join(into, name);
    await mkdir(path.dirname(copy), { recursive: true, mode: 0o700 });
    if (name === registry) copyRegistry(paths, copy);
    else if (name === STEP_CA_DATABASE) await copyStepCaDatabase(from, copy, clock);
    else if (!(await copied(from, copy))) continue;
    const { mode } = await lstat(from);
    await chmod(copy, 0o600);
    collected.push({ path: name, mode: mode & 0o777, ...(await measure(copy)), from: copy });
  }
  return collected;
}

/** @returns false when it is gone by now: what a slice writes anew is renamed into its place */
async function copied(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function filesBelow(dir: string, below = ''): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(path.join(dir, below), { withFileTypes: true })) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (LEFT_OUT.some((pattern) => pattern.test(name))) continue;
    if (entry.isDirectory()) names.push(...(await filesBelow(dir, name)));
    else if (entry.isFile()) names.push(name);
  }
  return names.sort();
}

async function measure(file: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  return { size, sha256: hash.digest('hex') };
}
