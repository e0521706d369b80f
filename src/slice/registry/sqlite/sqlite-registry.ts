import type { Registry } from '../registry.ts';
import { accountQueries } from './account-queries.ts';
import { auditQueries } from './audit-queries.ts';
import { bundleQueries } from './bundle-queries.ts';
import { claimQueries } from './claim-queries.ts';
import { consentQueries } from './consent-queries.ts';
import { deviceQueries } from './device-queries.ts';
import { keyQueries } from './key-queries.ts';
import { lossQueries } from './loss-queries.ts';
import { recoveryKeyQueries } from './recovery-key-queries.ts';
import { sessionQueries } from './session-queries.ts';
import { renewalQueries } from './renewal-queries.ts';
import { operatorQueries } from './operator-queries.ts';
import { requireRegistry } from './require-registry.ts';
import { openSqliteDatabase, type SqliteDatabase } from './sqlite-database.ts';

/** Creates the registry of a new slice: one SQLite file (WAL, 0600). Opens it if it exists. */
export function createSqliteRegistry(file: string): Registry {
  return registryOf(openSqliteDatabase(file));
}

/**
 * Opens the registry of an existing slice. An empty registry must never replace one that was lost: burned YubiKeys
 * would enroll again, and nobody would notice.
 *
 * @throws KiwiError `slice-damaged` when the file is missing, empty, or not a registry
 */
export function openSqliteRegistry(file: string): Registry {
  requireRegistry(file);
  return registryOf(openSqliteDatabase(file));
}

function registryOf(db: SqliteDatabase): Registry {
  return {
    ...keyQueries(db),
    ...operatorQueries(db),
    ...sessionQueries(db),
    ...claimQueries(db),
    ...deviceQueries(db),
    ...lossQueries(db),
    ...accountQueries(db),
    ...renewalQueries(db),
    ...consentQueries(db),
    ...bundleQueries(db),
    ...recoveryKeyQueries(db),
    ...auditQueries(db),
    tidy: () =>
      Promise.resolve().then(() => {
        db.tidy();
      }),
    close: () => db.close(),
  };
}
