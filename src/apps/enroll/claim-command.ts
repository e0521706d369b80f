import { selectPlatform } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import { toKiwiError } from '../../core/errors.ts';
import { claimAtFirstStart } from '../../laptop/claim/claim-at-first-start.ts';
import { readToken, removeToken } from '../../laptop/claim/token-file.ts';
import { shownRecord } from '../../laptop/service/shown-record.ts';
import { readPinnedRoots } from '../../laptop/state/pinned-roots.ts';
import type { EnrollmentRecord } from '../../laptop/state/record.ts';
import { humanOutput, jsonOutput, type EnrollOutput } from './enroll-output.ts';
import { logged } from './laptop-context.ts';
import { ClaimShow } from './show-claim.ts';

export interface ClaimFlags {
  readonly json?: boolean;
  readonly token: string;
  readonly mspRoots?: string;
}

/** Where an OEM puts it. */
export const TOKEN_FILE = '/var/lib/kiwistack/bootstrap.json';

/** `kiwistack-enroll claim` */
export async function claimCommand(flags: ClaimFlags, stop: AbortSignal): Promise<void> {
  const output = flags.json === true ? jsonOutput() : humanOutput();
  const start = systemClock.monotonic();
  const show = new ClaimShow(selectPlatform().claimScreens, logged().log);
  try {
    const record = await claimed(flags, stop, output, show);
    await show.claimed();
    output.done(shownRecord(record), systemClock.monotonic() - start);
  } catch (thrown) {
    const error = toKiwiError(thrown);
    // Where there is no token, nobody has been shown anything: somebody has called this by hand.
    if (error.code !== 'claim-token-missing') await show.ended(error);
    throw thrown;
  }
}

async function claimed(
  flags: ClaimFlags,
  stop: AbortSignal,
  output: EnrollOutput,
  show: ClaimShow,
): Promise<EnrollmentRecord> {
  const platform = selectPlatform();
  const bootstrap = await readToken(flags.token);
  show.begin(bootstrap.customer.name);
  return claimAtFirstStart(
    {
      platform,
      clock: systemClock,
      // A request to stop undoes nothing: what is going on is carried to its end, and the next start goes on.
      signal: new AbortController().signal,
      pause: stop,
      roots: await readPinnedRoots(flags.mspRoots ?? platform.pinnedRootsFile),
      ...logged(),
      waiting: (what) => {
        output.waiting(what);
      },
      person: output.person,
      bootstrap,
      removeToken: () => removeToken(flags.token),
    },
    (event) => {
      output.event(event);
      show.event(event, systemClock.now());
    },
  );
}
