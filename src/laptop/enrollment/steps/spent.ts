import type { EnrollmentStep } from '../enrollment-run.ts';
import { orWait } from '../or-wait.ts';

/** Removes the token, which is used up. The claim is good without it, so a disk that refuses is no reason to undo anything. */
export const spent: EnrollmentStep = {
  name: 'spent',
  title: 'Remove the token',
  inspect: () => Promise.resolve('absent'),
  apply: (run) => orWait(run, run.removeToken(), { for: 'the disk, to remove the token', againMs: 60_000 }),
  verify: () => Promise.resolve(),
};
