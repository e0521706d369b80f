import { selectPlatform } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { LaptopContext } from '../../laptop/system/laptop-context.ts';
import { journalLog } from '../../terminal/journal-log.ts';
import { currentReader } from '../../terminal/reader.ts';
import type { EnrollOutput } from './enroll-output.ts';
import { readPinnedRoots } from '../../laptop/state/pinned-roots.ts';

/** The log of a command that systemd runs; what a person runs has none. */
export function logged(): { readonly log?: Log } {
  return currentReader().inJournal === true ? { log: journalLog } : {};
}

/**
 * The context of commands that need no person. When the package, and its root certificates with it, was removed first,
 * a user must still be able to see and remove the enrollment; the roots are therefore also kept next to its
 * certificate.
 */
export async function laptopContext(signal: AbortSignal, output?: EnrollOutput): Promise<LaptopContext> {
  const platform = selectPlatform();
  const roots = await readPinnedRoots(platform.pinnedRootsFile).catch(() => []);
  return {
    platform,
    clock: systemClock,
    signal,
    roots,
    ...logged(),
    ...(output === undefined
      ? {}
      : {
          waiting: (what: string) => {
            output.waiting(what);
          },
        }),
  };
}
