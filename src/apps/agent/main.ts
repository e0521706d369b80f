#!/usr/bin/env node
import { selectAuthority, selectPlatform, toldCaller } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import { outliveReader } from '../../core/outlive-reader.ts';
import { VERSION } from '../../core/version.ts';
import type { LaptopContext } from '../../laptop/system/laptop-context.ts';
import { readPinnedRoots } from '../../laptop/state/pinned-roots.ts';
import { journalLog, stderrIsJournal } from '../../terminal/journal-log.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printFor } from '../../terminal/reader.ts';
import { launchdSocket } from './launchd-socket.ts';
import { passedSocket } from './passed-socket.ts';
import { serveConnection } from './serve-connection.ts';
import { serveSocket } from './serve-socket.ts';

outliveReader();
printFor({ is: 'staff', usesNpx: false, inJournal: stderrIsJournal(process.env) });

const stopped = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    stopped.abort();
  });
}

async function context(signal: AbortSignal): Promise<LaptopContext> {
  const platform = selectPlatform();
  const roots = await readPinnedRoots(platform.pinnedRootsFile).catch(() => []);
  return { platform, clock: systemClock, signal, roots, log: journalLog };
}

void carryOut(false, async () => {
  if (process.argv.includes('--version')) {
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const options = { context, authority: selectAuthority(), log: journalLog };
  if (process.platform !== 'win32') {
    const socket = process.platform === 'darwin' ? launchdSocket() : passedSocket(process.env, process.pid);
    await serveSocket(socket, options, stopped.signal);
    return 0;
  }
  await serveConnection(toldCaller(process.env), options, stopped.signal);
  // A read that waits for a caller who has its answer, and stays, would keep this process.
  process.exit(0);
});
