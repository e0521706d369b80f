import { KiwiError, toKiwiError } from '../../src/core/errors.ts';
import type { Authority, Caller, Permission } from '../../src/laptop/system/authority.ts';
import { runProgram } from '../../src/programs/run-program.ts';

const PKCHECK = '/usr/bin/pkcheck';
/** How long a person has to authenticate. */
const PATIENCE_MS = 120_000;

/** In installers/linux/polkit/. */
const ACTIONS: Readonly<Record<Permission, string>> = {
  read: 'io.kiwistack.enroll.read',
  upkeep: 'io.kiwistack.enroll.upkeep',
  repair: 'io.kiwistack.enroll.repair',
  support: 'io.kiwistack.enroll.support',
  enroll: 'io.kiwistack.enroll.agent',
  uninstall: 'io.kiwistack.enroll.uninstall',
};

/**
 * Asks polkit, and root nobody. The subject is pid, start time and user, all three: with a pid alone, polkit would look up its user
 * itself, and by then the pid may be another process (CVE-2013-4288).
 */
export function polkit(): Authority {
  return {
    async require(caller, permission, signal) {
      if (caller.uid === 0) return;
      const { code } = await check(caller, permission, signal);
      if (code === 0) return;
      // pkcheck(1): 1 not authorised, 2 nobody could be asked, 3 dismissed; else polkit did not answer.
      const why = [undefined, undefined, 'nobody could be asked to authenticate', 'the question was dismissed'][code];
      const detail = code > 3 || code < 0 ? 'polkit does not answer' : why;
      throw new KiwiError('not-authorised', detail === undefined ? {} : { detail });
    },
  };
}

async function check(caller: Caller, permission: Permission, signal: AbortSignal): Promise<{ code: number }> {
  const subject = `${caller.pid},${caller.startTime},${caller.uid}`;
  const args = ['--action-id', ACTIONS[permission], '--process', subject, '--allow-user-interaction'];
  try {
    return await runProgram({ program: PKCHECK, args, timeoutMs: PATIENCE_MS, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new KiwiError('not-authorised', { detail: toKiwiError(error).detail ?? 'polkit', cause: error });
  }
}
