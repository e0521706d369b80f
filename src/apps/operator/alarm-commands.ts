import type { Command } from 'commander';

import { listing, onSlice, time, type Flags } from './on-slice.ts';

/** `alarm`: two machines that claim one identity. */
export function addAlarmCommands(program: Command): void {
  const alarm = program.command('alarm').description('two machines that claim one identity');
  onSlice(alarm.command('list'))
    .description('alarms, the newest first; nothing was stopped because of one')
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
