import { KiwiError } from '../../src/core/errors.ts';
import type { SignIn } from '../../src/laptop/system/sign-in.ts';

/** Where people sign in as they always did. There is nothing to take away, and nothing to look at. */
export function noSignIn(system: string): SignIn {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new KiwiError('unsupported-system', { detail: `signing in with the organisation's account on ${system}` }),
    );
  return {
    ...{ check: refuse, setUp: refuse, restart: refuse },
    remove: () => Promise.resolve(),
    found: () => Promise.resolve([]),
    status: () => Promise.resolve(undefined),
  };
}
