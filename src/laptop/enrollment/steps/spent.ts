import type { EnrollmentStep } from '../enrollment-run.ts';
import { orWait } from '../or-wait.ts';

/**
 * Removes the token, which is used up. The last step: the unit of the first start runs as long as the token is there, so that a laptop that is
 * switched off before is not left half claimed. The claim is good without it, so a disk that refuses is no reason to undo anything.
 */
export const spent: EnrollmentStep = {
  name: 'spent',
  title: 'Remove the token',
  inspect: () => Promise.resolve('absent'),
  apply: (run) => orWait(run, run.removeToken(), { for: 'the disk, to remove the token', againMs: 60_000 }),
  verify: () => Promise.resolve(),
};
