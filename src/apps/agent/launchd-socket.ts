import { activatedSocket } from '../../../native/peer-credentials/index.ts';
import { KiwiError } from '../../core/errors.ts';

/** Its name in the job's file (platform/macos/jobs.ts). */
const NAME = 'Listeners';

/**
 * The listening socket that launchd has for this process.
 * @throws KiwiError `usage` when there is none
 */
export function launchdSocket(): number {
  const fd = activatedSocket(NAME);
  if (fd !== undefined) return fd;
  throw new KiwiError('usage', {
    detail: 'launchd has no socket for this process',
    hint: 'It is started by the job io.kiwistack.enroll.agent; to work without it, run kiwistack-enroll with sudo.',
  });
}
