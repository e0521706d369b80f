import { KiwiError } from '../../src/core/errors.ts';
import type { Updater } from '../../src/laptop/system/updater.ts';

/** Where the package pins no release key: whoever manages the laptop's programs updates it with the system's own installer. */
export function noUpdater(system: 'windows' | 'macos'): Updater {
  return {
    releaseKeys: () => Promise.resolve(undefined),
    installed: () => Promise.resolve({ system, architecture: process.arch, versions: {} }),
    install: () => Promise.reject(new KiwiError('unsupported-system', { detail: `updates on ${system}` })),
  };
}
