import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

import { KiwiError } from '../../../core/errors.ts';

/** SQLITE_FULL (sqlite.org/rescode.html). */
const FULL = 13;

/**
 * Copies a registry as it is at one moment, while others may write to it (VACUUM INTO: one read transaction). The copy is whole, has no log beside it, and
 * nothing in it that was deleted.
 * @throws KiwiError `slice-damaged` when the registry or its copy is not whole
 */
export function copySqliteRegistry(from: string, to: string): void {
  const db = new DatabaseSync(from, { timeout: 5000 });
  try {
    db.prepare('VACUUM INTO ?').run(to);
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === FULL)
      throw new KiwiError('disk-full', { cause: error });
    throw error;
  } finally {
    db.close();
  }
  chmodSync(to, 0o600);
  const fault = sqliteFault(to);
  if (fault !== undefined) throw new KiwiError('slice-damaged', { detail: `${from}: ${fault}` });
}

/** Reads every page of a registry. @returns what is wrong with it, as SQLite says it */
export function sqliteFault(file: string): string | undefined {
  const db = new DatabaseSync(file, { timeout: 5000, readOnly: true });
  try {
    const said = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    return said === 'ok' ? undefined : String(said);
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be read';
  } finally {
    db.close();
  }
}
