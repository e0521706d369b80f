import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';

import { removeDurableFile, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { slicePaths, type SlicePaths } from '../config/slice-paths.ts';
import { openRegistry } from '../open-registry.ts';
import type { Manifest } from './manifest.ts';
import { operatorEntry } from './operator-entry.ts';
import { writeBackup, type BackupOptions } from './write-backup.ts';

/**
 * Hands a customer over, with all that its slice is: intermediate and keys, registry, audit. It is written into one file that only the
 * recipient opens, who makes the slice of it elsewhere; then the keys with which this one could go on are removed, and it does not start any
 * more. Repeated after an interruption, with another file, it completes that.
 *
 * @throws KiwiError `slice-handed-over` when nothing is left to hand over; those of `writeBackup`
 */
export async function handOver(options: BackupOptions): Promise<Manifest & { readonly bytes: number }> {
  const { dir, output, clock } = options;
  const paths = slicePaths(dir);
  if (existsSync(paths.ca.handedOver)) {
    // It was written whole before the first key was removed.
    await removeKeys(paths);
    throw new KiwiError('slice-handed-over', { detail: dir });
  }
  const registry = openRegistry(paths);
  try {
    // Before: whoever goes on with the audit finds in it why it goes on elsewhere.
    await registry.audit(operatorEntry('customer.export', output), clock.now());
  } finally {
    registry.close();
  }
  const written = await writeBackup(options);
  const note = { version: 1, at: new Date(clock.now()).toISOString(), file: output };
  await writeDurableFile(paths.ca.handedOver, `${JSON.stringify(note)}\n`, 0o600);
  await removeKeys(paths);
  return written;
}

/** What certifies in the customer's name, or asks for it. */
async function removeKeys({ ca, gateway, operator }: SlicePaths): Promise<void> {
  for (const key of [ca.key, gateway.key, gateway.provisionerKey, operator.provisionerKey])
    await removeDurableFile(key);
  await rm(ca.next, { recursive: true, force: true });
}
