#!/usr/bin/env node
import { selectPlatform } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import { outliveReader } from '../../core/outlive-reader.ts';
import { VERSION } from '../../core/version.ts';
import { readPinnedRoots } from '../../laptop/state/pinned-roots.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { openToken } from '../../token/token.ts';
import { serveWindow } from './serve-window.ts';

outliveReader();

/** The window is gone, or has closed its end: there is nobody to lend a key to. */
const left = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    left.abort();
  });
}

void carryOut(true, async () => {
  if (process.argv.includes('--version')) {
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const token = await openToken({ clock: systemClock, signal: left.signal });
  try {
    const roots = await readPinnedRoots(selectPlatform().pinnedRootsFile);
    await serveWindow({ token, clock: systemClock, roots, left, input: process.stdin, output: process.stdout });
    return 0;
  } finally {
    await token.close();
  }
});
