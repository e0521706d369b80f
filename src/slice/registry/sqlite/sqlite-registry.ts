import { sessionQueries } from './session-queries.ts';
import { consentQueries } from './consent-queries.ts';
import { deviceQueries } from './device-queries.ts';
import { keyQueries } from './key-queries.ts';
import type { Registry } from '../registry.ts';
import { openSqliteDatabase } from './sqlite-database.ts';

type Sync = {
  [K in Exclude<keyof Registry, 'close' | 'tidy'>]: (
    ...args: Parameters<Registry[K]>
  ) => Awaited<ReturnType<Registry[K]>>;
};

/**
 * What is only of use to us may be lost with the power: a session that nobody knows is refused, a reservation without its grant never
 * was. Everything else that writes waits for the disk.
 */
const MAY_BE_LOST: ReadonlySet<string> = new Set<keyof Registry>(['addSession', 'reserve', 'forgetSessions']);
const READS = /^(find|list|live|revocationsWanted|abandoned|unconfirmed)/;

/** The registry in one SQLite file (WAL, 0600). Opens it or makes it. */
export function createSqliteRegistry(file: string): Registry {
  const db = openSqliteDatabase(file);
  const sync: Sync = { ...keyQueries(db), ...sessionQueries(db), ...deviceQueries(db), ...consentQueries(db) };
  const entries = Object.entries(sync).map(([name, method]) => {
    const reads = READS.test(name);
    const run = method as (...values: unknown[]) => unknown;
    const call = async (...args: unknown[]): Promise<unknown> => {
      if (reads) return run(...args);
      const result = await db.write(() => run(...args));
      if (!MAY_BE_LOST.has(name)) await db.durable();
      return result;
    };
    return [name, call];
  });
  return {
    ...(Object.fromEntries(entries) as Omit<Registry, 'close' | 'tidy'>),
    tidy: () =>
      Promise.resolve().then(() => {
        db.tidy();
      }),
    close: () => db.close(),
  };
}
