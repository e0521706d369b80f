import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

import { KiwiError } from '../../../core/errors.ts';

/** SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html). */
const NOT_A_DATABASE = [11, 26];

/**
 * Makes sure that the file is a registry that `init` created: `init` sets `user_version`.
 *
 * @throws KiwiError `slice-damaged` when the file is missing, empty, or not a database
 */
export function requireRegistry(file: string): void {
  const damaged = (why: string, cause?: unknown): KiwiError =>
    new KiwiError('slice-damaged', {
      detail: `${file}: the registry ${why}`,
      ...(cause === undefined ? {} : { cause }),
    });
  if (!existsSync(file)) throw damaged('is missing');
  let version: unknown;
  try {
    const db = new DatabaseSync(file, { timeout: 5000 });
    try {
      version = db.prepare('PRAGMA user_version').get()?.['user_version'];
    } finally {
      db.close();
    }
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && NOT_A_DATABASE.includes(Number(error.errcode))) {
      throw damaged('is not a database', error);
    }
    throw error;
  }
  if (version === 0) throw damaged('is empty');
}
