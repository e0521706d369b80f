import { sessionQueries } from './session-queries.ts';
import { deviceQueries } from './device-queries.ts';
import { keyQueries } from './key-queries.ts';
import type { Registry } from './registry.ts';
import { openSqliteDatabase } from './sqlite-database.ts';

type Sync = {
  [K in Exclude<keyof Registry, 'close'>]: (...args: Parameters<Registry[K]>) => Awaited<ReturnType<Registry[K]>>;
};

/** The registry in one SQLite file (WAL, 0600). Opens it or makes it. */
export function createSqliteRegistry(file: string): Registry {
  const db = openSqliteDatabase(file);
  const sync: Sync = { ...keyQueries(db), ...sessionQueries(db), ...deviceQueries(db) };
  // SQLite answers at once; the interface is asynchronous for registries that do not.
  const entries = Object.entries(sync).map(([name, method]) => [
    name,
    (...args: unknown[]) =>
      new Promise((resolve) => {
        resolve((method as (...values: unknown[]) => unknown)(...args));
      }),
  ]);
  return { ...(Object.fromEntries(entries) as Omit<Registry, 'close'>), close: () => db.close() };
}
