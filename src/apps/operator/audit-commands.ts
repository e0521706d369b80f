import type { Command } from 'commander';

import { positiveNumber } from '../../terminal/carry-out.ts';
import { listing, onSlice, time, type Flags } from './on-slice.ts';

/** `audit`: the decisions of the slice. */
export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('Show the decisions of the slice');
  onSlice(audit.command('list'))
    .description('List the decisions, newest first')
    .option('--limit <number>', 'how many to list', positiveNumber, 50)
    .action((flags: Flags & { limit: number }) =>
      listing(flags, async (slice) =>
        (await slice.audit(flags.limit)).map((entry) => ({
          at: time(entry.at),
          action: entry.action,
          decision: entry.decision,
          code: entry.code ?? '',
          actor: entry.actor,
          yubikey: entry.yubikeySerial ?? '',
          device: entry.deviceId ?? '',
          why: entry.why ?? '',
          request: entry.requestId,
        })),
      ),
    );
}
