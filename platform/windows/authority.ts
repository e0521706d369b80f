import { KiwiError } from '../../src/core/errors.ts';
import type { Authority, Permission } from '../../src/laptop/system/authority.ts';

/** What polkit's policy on Linux allows to whoever is at the screen (installers/linux/polkit); the rest is an administrator's. */
const AT_THE_SCREEN: ReadonlySet<Permission> = new Set(['read', 'upkeep', 'repair', 'support']);

/**
 * Decides by the caller's token, as the service found it: Windows has nobody to ask. What changes whose laptop it is needs an administrator
 * who has agreed, which is a caller that was elevated. Reading is for everybody who can open the pipe.
 */
export function byToken(): Authority {
  return {
    require({ uid, atScreen = false }, permission) {
      const allowed = uid === 0 || permission === 'read' || (AT_THE_SCREEN.has(permission) && atScreen);
      const detail = AT_THE_SCREEN.has(permission)
        ? 'only for whoever is at the screen'
        : 'only for an administrator: run it elevated';
      return allowed ? Promise.resolve() : Promise.reject(new KiwiError('not-authorised', { detail }));
    },
  };
}
