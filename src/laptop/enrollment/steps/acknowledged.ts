import { toKiwiError } from '../../../core/errors.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';
import { confirm } from './confirm.ts';

const AGAIN_MS = 10_000;

/** The slice has not taken it, and will not: what asking again cannot change. */
const REFUSED: ReadonlySet<string> = new Set(['device-ended', 'device-unknown', 'confirm-mismatch']);

/**
 * The confirmation of a claim uses up its token, so whatever happens to the answer is no reason to undo anything: until the slice has
 * answered, the laptop goes on asking. (A laptop that undoes it all the same, because another step fails, gives the token back by leaving.)
 */
export const acknowledged: EnrollmentStep = {
  ...confirm,
  async apply(run) {
    try {
      await confirm.apply(run);
      return undefined;
    } catch (error) {
      const { code } = toKiwiError(error);
      if (REFUSED.has(code)) throw error;
      return {
        then: 'wait',
        for: `the slice, which has to confirm (${code})`,
        until: run.options.clock.now() + AGAIN_MS,
      };
    }
  },
};
