import type { EnrollmentStep } from '../enrollment-run.ts';
import { orWait } from '../or-wait.ts';
import { confirm } from './confirm.ts';

/** The slice has not taken it, and will not. */
const REFUSED = ['device-ended', 'device-unknown', 'confirm-mismatch'];

/**
 * The confirmation of a claim uses up its token, so whatever happens to the answer is no reason to undo anything: until the slice has
 * answered, the laptop goes on asking. (A laptop that undoes it all the same, because another step fails, gives the token back by leaving.)
 */
export const acknowledged: EnrollmentStep = {
  ...confirm,
  apply: (run) =>
    orWait(run, confirm.apply(run), { for: 'the slice, which has to confirm', againMs: 10_000, final: REFUSED }),
};
