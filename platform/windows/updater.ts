import { KiwiError } from '../../src/core/errors.ts';
import type { Updater } from '../../src/laptop/system/updater.ts';

/** The package for Windows pins no release key: whoever manages the laptop's programs updates it with the MSI. */
export function noUpdater(): Updater {
  return {
    releaseKeys: () => Promise.resolve(undefined),
    installed: () => Promise.resolve({ system: 'windows', architecture: process.arch, versions: {} }),
    install: () => Promise.reject(new KiwiError('unsupported-system', { detail: 'updates on Windows' })),
  };
}
