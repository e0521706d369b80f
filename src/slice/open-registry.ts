import type { SlicePaths } from './config/slice-paths.ts';
import type { Registry } from './registry/registry.ts';
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
