import type { SlicePaths } from './config/slice-paths.ts';
import type { Registry } from './registry/registry.ts';
import { copySqliteRegistry, sqliteFault } from './registry/sqlite/copy-registry.ts';
import { requireRegistry as requireSqlite } from './registry/sqlite/require-registry.ts';
import { createSqliteRegistry, openSqliteRegistry } from './registry/sqlite/sqlite-registry.ts';

// The only file that chooses a database: whoever needs a registry opens it here and sees the interface alone.

/** Creates the registry of a new slice. */
export function createRegistry(paths: SlicePaths): Registry {
  return createSqliteRegistry(paths.registry);
}

/** Opens the registry of a slice that `init` has made. @throws KiwiError `slice-damaged` when it is lost or damaged */
export function openRegistry(paths: SlicePaths): Registry {
  return openSqliteRegistry(paths.registry);
}

/** Looks whether the registry is there, without opening it. @throws KiwiError `slice-damaged` */
export function requireRegistry(paths: SlicePaths): void {
  requireSqlite(paths.registry);
}

/** Copies the registry into a new file, as it is at one moment. @throws KiwiError `slice-damaged` when it is not whole */
export function copyRegistry(paths: SlicePaths, to: string): void {
  copySqliteRegistry(paths.registry, to);
}

/** Reads all of the registry. @returns what is wrong with it */
export function registryFault(paths: SlicePaths): string | undefined {
  return sqliteFault(paths.registry);
}
