import { fstatSync } from 'node:fs';

import { KiwiError } from '../../core/errors.ts';

/** sd_listen_fds(3): the first descriptor that systemd passes. */
const FIRST = 3;

/**
 * The listening socket that systemd passed to this process: exactly one.
 * @throws KiwiError `usage` when there is none
 */
export function passedSocket(environment: NodeJS.ProcessEnv, pid: number): number {
  const forUs = environment['LISTEN_PID'] === String(pid) && environment['LISTEN_FDS'] === '1';
  if (!forUs || !fstatSync(FIRST).isSocket()) {
    throw new KiwiError('usage', {
      detail: 'systemd has passed no socket',
      hint: 'It is started by kiwistack-agent.socket; to work without it, run kiwistack-enroll with sudo.',
    });
  }
  return FIRST;
}
