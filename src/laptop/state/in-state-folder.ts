import { rmdir } from 'node:fs/promises';
import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';
import { Journal, type PlanName } from '../pipeline/journal.ts';
import { RecordFile } from './record.ts';
import { takeRunLock, type RunLock } from './run-lock.ts';

/** Upkeep takes seconds, and at a network that does not answer up to a minute. */
const PATIENCE_MS = 60_000;
const POLL_MS = 250;

/** Who waits for its turn. */
export interface Turn {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly waiting?: (what: string) => void;
}

/** What a run works on: the record of this laptop's enrollment, and the journal of what was begun. */
export interface RunState {
  readonly file: RecordFile;
  readonly journal: Journal;
}

/**
 * Works on the state of this laptop's enrollment, under the lock that allows one run at a time. The folder is removed with
 * the last file in it.
 * @param turn given, a run that is going on is waited for: the watcher and the timer have theirs at any moment
 * @throws KiwiError `already-running`, `not-root`, and what `use` throws
 */
export async function inStateFolder<Result>(
  stateFolder: string,
  plan: PlanName,
  use: (state: RunState) => Promise<Result>,
  turn?: Turn,
): Promise<Result> {
  const lock = await (turn === undefined ? takeRunLock(stateFolder) : waitForTurn(stateFolder, turn));
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

async function waitForTurn(stateFolder: string, { clock, signal, waiting }: Turn): Promise<RunLock> {
  const until = clock.monotonic() + PATIENCE_MS;
  for (let tries = 0; ; tries++) {
    try {
      return await takeRunLock(stateFolder);
    } catch (error) {
      const another = error instanceof KiwiError && error.code === 'already-running';
      if (!another || clock.monotonic() >= until) throw error;
    }
    if (tries === 0) waiting?.('another run of kiwistack-enroll');
    await clock.sleep(POLL_MS, signal);
  }
}

const STAYS: ReadonlySet<unknown> = new Set(['ENOTEMPTY', 'ENOENT', 'EBUSY', 'EROFS']);

/** Keeps a folder that an administrator has mounted there. */
async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    if (!STAYS.has(systemErrorCode(error))) throw error;
  });
}
