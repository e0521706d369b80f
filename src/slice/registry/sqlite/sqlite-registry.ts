import type { Registry } from '../registry.ts';
import { consentQueries } from './consent-queries.ts';
import { deviceQueries } from './device-queries.ts';
import { keyQueries } from './key-queries.ts';
import { sessionQueries } from './session-queries.ts';
import { openSqliteDatabase } from './sqlite-database.ts';

/** The registry in one SQLite file (WAL, 0600). Opens it or makes it. */
export function createSqliteRegistry(file: string): Registry {
  const db = openSqliteDatabase(file);
  return {
    ...keyQueries(db),
    ...sessionQueries(db),
    ...deviceQueries(db),
    ...consentQueries(db),
    tidy: () =>
      Promise.resolve().then(() => {
        db.tidy();
      }),
    close: () => db.close(),
  };
}
