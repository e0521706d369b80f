import type { Command } from 'commander';

import { listing, onSlice, time, type Flags } from './on-slice.ts';

/** `alarm`: machines that share one identity. */
export function addAlarmCommands(program: Command): void {
  const alarm = program.command('alarm').description('Show when two machines used one identity');
  onSlice(alarm.command('list'))
    .description('List the alarms, newest first; an alarm does not stop a laptop')
    .action((flags: Flags) =>
      listing(flags, async (slice) =>
        (await slice.alarms()).map((entry) => ({
          at: time(entry.at),
          code: entry.code ?? '',
          device: entry.deviceId ?? '',
          from: entry.actor,
          why: entry.why ?? '',
        })),
      ),
    );
}
