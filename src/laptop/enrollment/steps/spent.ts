import { toKiwiError } from '../../../core/errors.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

const AGAIN_MS = 60_000;

/** Removes the token, which is used up. The claim is good without it, so a disk that refuses is no reason to undo anything. */
export const spent: EnrollmentStep = {
  name: 'spent',
  title: 'Remove the token',
  inspect: () => Promise.resolve('absent'),
  async apply(run) {
    try {
      await run.removeToken();
      return undefined;
    } catch (error) {
      const { code } = toKiwiError(error);
      return {
        then: 'wait',
        for: `the disk, to remove the token (${code})`,
        until: run.options.clock.now() + AGAIN_MS,
      };
    }
  },
  verify: () => Promise.resolve(),
};
