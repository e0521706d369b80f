import { toKiwiError } from '../../../core/errors.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';
import { confirm } from './confirm.ts';

const AGAIN_MS = 10_000;

/**
 * The confirmation of a claim uses up its token, so that from the moment at which it may have arrived nothing is undone any more: who undid
 * it would have neither a device nor a token. Until the slice has answered, the laptop goes on asking.
 */
export const acknowledged: EnrollmentStep = {
  ...confirm,
  async apply(run) {
    try {
      await confirm.apply(run);
      return undefined;
    } catch (error) {
      const { retryable, code } = toKiwiError(error);
      if (!retryable) throw error;
      return {
        then: 'wait',
        for: `the slice, which has to confirm (${code})`,
        until: run.options.clock.now() + AGAIN_MS,
      };
    }
  },
};
