import { KiwiError } from '../../src/core/errors.ts';
import type { Authority } from '../../src/laptop/system/authority.ts';

/** Where nobody can be asked who may do what. */
export function rootOnly(): Authority {
  return {
    require: ({ uid }) => (uid === 0 ? Promise.resolve() : Promise.reject(new KiwiError('not-authorised'))),
  };
}
