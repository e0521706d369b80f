import { KiwiError } from '../../src/core/errors.ts';
import type { Authority, Permission } from '../../src/laptop/system/authority.ts';
import { userAtScreen } from './desktop.ts';
import type { MacSystem } from './system.ts';

/** What polkit's policy on Linux allows to whoever is at the screen (installers/linux/polkit); the rest is an administrator's. */
const AT_THE_SCREEN: ReadonlySet<Permission> = new Set(['read', 'upkeep', 'repair', 'support']);

/** Decides by who is at the screen. What changes whose laptop it is needs root: a daemon has nobody to ask for a password. */
export function byConsole(system: MacSystem): Authority {
  return {
    async require({ uid }, permission) {
      if (uid === 0 || permission === 'read') return;
      const forScreen = AT_THE_SCREEN.has(permission);
      if (forScreen && (await userAtScreen(system)) === uid) return;
      const detail = forScreen ? 'only for whoever is at the screen' : 'only for an administrator: run it with sudo';
      throw new KiwiError('not-authorised', { detail });
    },
  };
}
