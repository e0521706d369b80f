import { fstatSync } from 'node:fs';

import { logLine, type Log, type LogLevel } from '../core/log.ts';

/** sd-daemon(3): a line's priority stands before it, as syslog numbers them. */
export const PRIORITY: Readonly<Record<LogLevel, string>> = { error: '<3>', warning: '<4>', info: '<6>' };

/**
 * True when stderr is a log: on Windows our service says so to what it starts; on Linux it is systemd's journal: systemd.exec(5) has it as `device:inode` in `$JOURNAL_STREAM`. Compared, because the
 * variable is inherited by programs whose output was turned elsewhere.
 */
export function stderrIsJournal(environment: NodeJS.ProcessEnv): boolean {
  if (process.platform === 'win32') return environment['KIWISTACK_SERVICE'] === '1';
  const named = environment['JOURNAL_STREAM'];
  if (named === undefined) return false;
  try {
    const { dev, ino } = fstatSync(2);
    return named === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** The log of a program that runs as a service: lines with a priority on stderr, for the journal. */
export const journalLog: Log = {
  write(level, event, fields) {
    process.stderr.write(`${PRIORITY[level]}${logLine(event, fields)}\n`);
  },
};
