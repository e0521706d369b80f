import { constants } from 'node:fs';
import { mkdir, open, stat, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

import { isMissing } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_CANTOPEN = 14;

export interface RunLock {
  release(): Promise<void>;
}

/**
 * One run at a time on a laptop. The lock is the system's own on a file, as SQLite takes it on every system: it ends with the
 * process, however that ends. Node has no other way to such a lock. The file goes with the lock.
 *
 * @throws KiwiError `already-running`, `not-root`
 */
export async function takeRunLock(stateFolder: string): Promise<RunLock> {
  const file = path.join(stateFolder, 'lock');
  for (let tries = 0; ; tries++) {
    const handle = await openLockFile(stateFolder, file);
    let db: DatabaseSync | undefined;
    try {
      db = lock(file);
      // Whoever had it before may have taken the file away after we opened it: then our lock is on nothing. As long as the
      // handle is open no other file gets this number.
      if (await isSameFile(handle, file)) return { release: () => release(file, handle, db) };
    } catch (error) {
      await end(db, handle);
      // It went between the two: there is nothing to be opened any more.
      if (tries < 10 && sqliteCode(error) === SQLITE_CANTOPEN) continue;
      throw error;
    }
    await end(db, handle);
  }
}

async function openLockFile(stateFolder: string, file: string): Promise<FileHandle> {
  try {
    await mkdir(stateFolder, { recursive: true, mode: 0o700 });
    return await open(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    if (isMissing(error)) return openLockFile(stateFolder, file); // the folder went with another run's last file
    const code = systemErrorCode(error);
    throw code === 'EACCES' || code === 'EPERM' ? new KiwiError('not-root', { cause: error }) : error;
  }
}

function lock(file: string): DatabaseSync {
  // Not to be made here, where it would be for everybody to read.
  const url = pathToFileURL(file);
  url.searchParams.set('mode', 'rw');
  const db = new DatabaseSync(url, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if (sqliteCode(error) === SQLITE_BUSY) throw new KiwiError('already-running');
    throw error;
  }
}

/** What node:sqlite has from SQLite; undefined for other errors. The bits above the first eight say more of the same. */
function sqliteCode(error: unknown): number | undefined {
  const known = error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';
  return known ? Number(error.errcode) & 0xff : undefined;
}

async function isSameFile(handle: FileHandle, file: string): Promise<boolean> {
  try {
    return (await stat(file)).ino === (await handle.stat()).ino;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** The file goes first, while it is still locked: nobody can take the lock on one that is about to go. */
async function release(file: string, handle: FileHandle, db: DatabaseSync | undefined): Promise<void> {
  await unlink(file);
  await end(db, handle);
}

/** The handle goes last: closing any handle of a file ends the locks that this process has on it. */
async function end(db: DatabaseSync | undefined, handle: FileHandle): Promise<void> {
  db?.close();
  await handle.close();
}
