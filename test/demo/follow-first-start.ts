import { createInterface } from 'node:readline';

import type { Machine } from '../machine/machine.ts';

const UNIT = 'kiwistack-first-boot.service';
/** The lines that match the gateway's log: for operators. */
const FOR_OPERATORS = /^exchange /u;

/** A line of the journal (systemd.journal-fields(7)), as far as it is read here. */
interface JournalLine {
  readonly MESSAGE?: string;
  readonly SYSLOG_IDENTIFIER?: string;
  readonly __MONOTONIC_TIMESTAMP?: string;
}

/**
 * Shows what the unit of a laptop's first start says, with the seconds since the laptop was switched on, until it has ended.
 * @throws when it has failed
 */
export async function followFirstStart(machine: Machine, said: (line: string, ms: number) => void): Promise<void> {
  const journal = machine.spawn(['/usr/bin/journalctl', '-b', '-f', '-n', 'all', '-o', 'json', '-u', UNIT]);
  journal.stdin.end();
  try {
    for await (const text of createInterface({ input: journal.stdout })) {
      const { MESSAGE = '', SYSLOG_IDENTIFIER, __MONOTONIC_TIMESTAMP } = JSON.parse(text) as JournalLine;
      if (FOR_OPERATORS.test(MESSAGE)) continue;
      if (SYSLOG_IDENTIFIER !== 'systemd') said(MESSAGE, Number(__MONOTONIC_TIMESTAMP) / 1000);
      else if (MESSAGE.includes('Deactivated successfully')) return;
      else if (MESSAGE.includes('Failed with result')) throw new Error(`the claim has failed: ${MESSAGE}`);
    }
    throw new Error('the laptop went off');
  } finally {
    journal.kill(15);
  }
}
