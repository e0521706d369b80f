import { rmdir } from 'node:fs/promises';
import path from 'node:path';

import { systemErrorCode } from '../../core/system-error-code.ts';
import { Journal, type PlanName } from '../pipeline/journal.ts';
import { RecordFile } from './record.ts';
import { takeRunLock } from './run-lock.ts';

/** What a run works on: the record of this laptop's enrollment, and the journal of what was begun. */
export interface RunState {
  readonly file: RecordFile;
  readonly journal: Journal;
}

/**
 * Works on the state of this laptop's enrollment, under the lock that allows one run at a time. The folder is removed with
 * the last file in it.
 * @throws KiwiError `already-running`, `not-root`, and what `use` throws
 */
export async function inStateFolder<Result>(
  stateFolder: string,
  plan: PlanName,
  use: (state: RunState) => Promise<Result>,
): Promise<Result> {
  const lock = await takeRunLock(stateFolder);
  try {
    return await use({
      file: new RecordFile(stateFolder),
      journal: new Journal(path.join(stateFolder, 'journal.jsonl'), plan),
    });
  } finally {
    await lock.release();
    await removeIfEmpty(stateFolder);
  }
}

const STAYS: ReadonlySet<unknown> = new Set(['ENOTEMPTY', 'ENOENT', 'EBUSY', 'EROFS']);

/** Keeps a folder that an administrator has mounted there. */
async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    if (!STAYS.has(systemErrorCode(error))) throw error;
  });
}
