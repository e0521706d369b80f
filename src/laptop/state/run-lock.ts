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
 * Allows one run at a time on a laptop. The lock is the operating system's own lock on a file, taken through SQLite because
 * Node has no API for it: it ends with the process, however that ends. The file is removed with the lock.
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
      // The previous holder may have removed the file after we opened it: our lock is then worthless. As long as the handle
      // is open, no other file gets this inode number.
      if (await isSameFile(handle, file)) return { release: () => release(file, handle, db) };
    } catch (error) {
      await end(db, handle);
      // The file was removed between the two calls, so SQLite had nothing to open.
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
    if (isMissing(error)) return openLockFile(stateFolder, file); // another run removed the folder with its last file
    const code = systemErrorCode(error);
    throw code === 'EACCES' || code === 'EPERM' ? new KiwiError('not-root', { cause: error }) : error;
  }
}

function lock(file: string): DatabaseSync {
  // SQLite must not create the file: everybody could read it.
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

/** SQLite's primary result code; undefined for other errors. The bits above the first eight only refine it. */
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

/**
 * The file is removed first, while it is still locked, so that nobody can lock a file that is about to disappear. Windows does not remove a
 * file that is in use: there it is closed first, and stays when another run has opened it in the meantime, which then has its lock.
 */
async function release(file: string, handle: FileHandle, db: DatabaseSync | undefined): Promise<void> {
  if (process.platform !== 'win32') {
    await unlink(file);
    await end(db, handle);
    return;
  }
  await end(db, handle);
  await unlink(file).catch((error: unknown) => {
    if (!['EBUSY', 'EPERM', 'EACCES', 'ENOENT'].includes(systemErrorCode(error) ?? '')) throw error;
  });
}

/** The handle is closed last: closing any handle of a file releases the locks that this process holds on it. */
async function end(db: DatabaseSync | undefined, handle: FileHandle): Promise<void> {
  db?.close();
  await handle.close();
}
