import { closeSync, chmodSync, fdatasync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';

import { migrate } from './migrations.ts';

export type Row = Record<string, SQLOutputValue>;

/** A thin hold on one SQLite file: prepared statements are made once, writers queue instead of failing. */
export interface SqliteDatabase {
  run(sql: string, ...values: SQLInputValue[]): number;
  /** Adds a row: its values by the names of their columns. */
  insert(table: string, row: Readonly<Record<string, SQLInputValue>>): void;
  get(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all(sql: string, ...values: SQLInputValue[]): Row[];
  /**
   * All of `work` or nothing of it, under the write lock: what it reads stays true until it is done. Works that are asked for at the
   * same time are committed together, each still alone in what it does and in how it fails. Resolves after the commit.
   */
  write<T>(work: () => T): Promise<T>;
  /**
   * Resolves when everything that was committed before is on the disk. One sync serves all that ask while it is waiting for its
   * turn, and it does not stop the process: a busy gateway would otherwise wait for the disk at every commit.
   */
  durable(): Promise<void>;
  /** Moves what was committed into the main file and empties the log, in which deleted secrets would stay readable. */
  tidy(): void;
  close(): void;
}

/** Opens or makes the database file (0600). */
export function openSqliteDatabase(file: string): SqliteDatabase {
  // SQLite makes its files with the umask's mode, and gives -wal and -shm the mode of the main file.
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const db = new DatabaseSync(file, { timeout: 5000 });
  // A checkpoint keeps everybody waiting for the disk: every 64 MB or half minute (`tidy`), in which the same pages were
  // often written again, instead of 4.
  // What a statement may have to take back is kept in memory: SQLite makes a file for it otherwise, and writes as much again as the log.
  // 16 MB of pages, not 2: a busy gateway read half of its pages again.
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;
     PRAGMA wal_autocheckpoint = 16000; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000`,
  );
  migrate(db);
  // In WAL mode, a commit is in the -wal file, which lives as long as this connection; SQLite itself syncs it before a checkpoint.
  // (SQLite's locks are on other files, so that closing this descriptor drops none: sqlite.org/howtocorrupt.html, section 2.2.)
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
      // Bound by their places: SQLite looks each name up, and an enrollment is a dozen rows.
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

/** A sync that was asked for while another runs starts after that one: the running one may have missed the latest commit. */
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
  /** Tells whoever waits; to be called after the commit. */
  readonly work: () => () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * A commit writes every page it touched, and the same few pages are touched by all: one commit for many is most of the saving. A work
 * does nothing but ask and change the database, so when one of a group fails, nothing of the group has happened, and each is done again alone.
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
      // Another process has held the lock for too long: nobody waits for it once more.
      failAll(jobs, error);
      return;
    }
    try {
      const tell = jobs.map(({ work }) => work());
      db.run('COMMIT');
      for (const resolve of tell) resolve();
    } catch (error) {
      // The database may have given up the whole transaction by itself (disk full).
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
