import { closeSync, chmodSync, fdatasync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

import { migrate } from './migrations.ts';
import type { Row } from './rows.ts';

/** A thin layer over one SQLite file: statements are prepared once, and writers queue instead of failing. */
export interface SqliteDatabase {
  run(sql: string, ...values: SQLInputValue[]): number;
  /** Adds a row: its values by column name. */
  insert(table: string, row: Readonly<Record<string, SQLInputValue>>): void;
  get(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all(sql: string, ...values: SQLInputValue[]): Row[];
  /**
   * Runs all of `work` or none of it, under the write lock: what it reads stays true until it is done. Calls made at
   * the same time are committed together; each still runs, and fails, independently. Resolves after the commit.
   */
  write<T>(work: () => T): Promise<T>;
  /**
   * Resolves when everything committed before is on disk. One sync serves all callers that wait for it, and it does not
   * block the process: otherwise a busy gateway would wait for the disk at every commit.
   */
  durable(): Promise<void>;
  /** Moves committed data into the main file and empties the log, in which deleted secrets would stay readable. */
  tidy(): void;
  close(): void;
}

/** Opens or creates the database file (0600). */
export function openSqliteDatabase(file: string): SqliteDatabase {
  // SQLite creates its files with the mode that the umask leaves, and gives -wal and -shm the mode of the main file.
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const db = new DatabaseSync(file, { timeout: 5000 });
  // A checkpoint makes everyone wait for the disk, so it runs every 64 MB or every half minute (`tidy`) instead of
  // every 4 MB; by then the same pages have often been written again. Statement rollback data is kept in memory:
  // otherwise SQLite writes it to a temporary file, as much again as the log. The page cache is 16 MB instead of 2: a
  // busy gateway had to read half of its pages again.
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;
     PRAGMA wal_autocheckpoint = 16000; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000`,
  );
  migrate(db);
  // In WAL mode a commit is in the -wal file, which exists as long as this connection; SQLite itself syncs it before a
  // checkpoint. (SQLite's locks are on other files, so closing this descriptor releases none:
  // sqlite.org/howtocorrupt.html, section 2.2.)
  const wal = openSync(`${file}-wal`, 'r+');
  const sync = groupedSync(wal);
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) statements.set(sql, (statement = db.prepare(sql)));
    return statement;
  };
  return {
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    insert: (table, row) => {
      const names = Object.keys(row);
      // Bound by position: SQLite would look up each name, and an enrollment writes a dozen rows.
      prepare(`INSERT INTO ${table} (${names.join()}) VALUES (?${',?'.repeat(names.length - 1)})`).run(
        ...Object.values(row),
      );
    },
    get: (sql, ...values) => prepare(sql).get(...values),
    all: (sql, ...values) => prepare(sql).all(...values),
    write: groupedWrites({
      run: (sql) => void prepare(sql).run(),
      inTransaction: () => db.isTransaction,
    }),
    durable: sync,
    tidy: () => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'),
    close: () => {
      if (!db.isOpen) return;
      db.close();
      closeSync(wal);
    },
  };
}

/** A sync that is requested while another runs starts after that one, which may have missed the latest commit. */
function groupedSync(fd: number): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  const sync = (): Promise<void> =>
    new Promise((resolve, reject) => {
      fdatasync(fd, (error) => {
        if (error === null) resolve();
        else reject(error instanceof Error ? error : new TypeError('not an error', { cause: error }));
      });
    });
  return () => {
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        running = sync();
        return running;
      });
    return next;
  };
}

interface Job {
  /** Returns the function that tells the caller; to be called after the commit. */
  readonly work: () => () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * A commit writes every page it touched, and all commits touch the same few pages: grouping them is most of the saving.
 * `work` only queries and changes the database, so when one of a group fails, the whole group is rolled back and each
 * is run again on its own.
 */
function groupedWrites(db: {
  run: (sql: string) => void;
  inTransaction: () => boolean;
}): <T>(work: () => T) => Promise<T> {
  let waiting: Job[] = [];
  const failAll = (jobs: readonly Job[], error: unknown): void => {
    for (const { fail } of jobs) fail(error);
  };
  const commit = (jobs: readonly Job[]): void => {
    try {
      db.run('BEGIN IMMEDIATE');
    } catch (error) {
      // Another process has held the lock for too long; retrying would only wait as long again.
      failAll(jobs, error);
      return;
    }
    try {
      const tell = jobs.map(({ work }) => work());
      db.run('COMMIT');
      for (const resolve of tell) resolve();
    } catch (error) {
      // The database may already have rolled back the whole transaction (disk full).
      if (db.inTransaction()) db.run('ROLLBACK');
      if (jobs.length === 1) failAll(jobs, error);
      else for (const job of jobs) commit([job]);
    }
  };
  return <T>(work: () => T) =>
    new Promise<T>((resolve, reject) => {
      if (waiting.length === 0) {
        setImmediate(() => {
          const jobs = waiting;
          waiting = [];
          commit(jobs);
        });
      }
      const fail = (error: unknown): void => {
        reject(error instanceof Error ? error : new TypeError('not an error', { cause: error }));
      };
      waiting.push({
        work: () => {
          const result = work();
          return () => resolve(result);
        },
        fail,
      });
    });
}
