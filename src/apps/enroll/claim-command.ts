import { selectPlatform } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import { claimAtFirstStart } from '../../laptop/claim/claim-at-first-start.ts';
import { readToken, removeToken } from '../../laptop/claim/token-file.ts';
import { shownRecord } from '../../laptop/service/shown-record.ts';
import { readPinnedRoots } from '../../laptop/state/pinned-roots.ts';
import { humanOutput, jsonOutput } from './enroll-output.ts';
import { logged } from './laptop-context.ts';

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
  const platform = selectPlatform();
  const bootstrap = await readToken(flags.token);
  const record = await claimAtFirstStart(
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
    },
  );
  output.done(shownRecord(record), systemClock.monotonic() - start);
}
