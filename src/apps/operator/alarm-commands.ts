import type { Command } from 'commander';

import { KiwiError } from '../../core/errors.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printJson } from '../../terminal/report.ts';
import { listing, onList, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { Id } from './table.ts';

/** `alarm`: what a person has to look at, such as machines that share one identity. */
export function addAlarmCommands(program: Command): void {
  const alarm = program.command('alarm').description('Show and acknowledge what a person has to look at');
  onList(alarm.command('list'))
    .description('List the alarms that nobody has acknowledged, newest first; an alarm does not stop a laptop')
    .action((flags: Flags) =>
      listing(flags, async (slice) =>
        (await slice.ask('alarm.list')).map((entry) => ({
          id: entry.id,
          at: time(entry.at),
          code: entry.code ?? entry.action,
          device: entry.deviceId === undefined ? '' : new Id(entry.deviceId),
          from: entry.actor,
          why: entry.why ?? '',
        })),
      ),
    );
  onSlice(alarm.command('acknowledge <alarm>'))
    .description('Take an alarm out of the list, by its ID, once you have looked at the laptops; the audit keeps it')
    .option('--why <text>', 'what was found, for the audit', 'looked at')
    .action((alarmId: string, flags: Flags & { why: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const id = /^\d{1,15}$/u.test(alarmId) ? Number(alarmId) : undefined;
          if (id === undefined || !(await slice.ask('alarm.acknowledge', { alarm: id, why: flags.why })).acknowledged) {
            throw new KiwiError('usage', {
              detail: `no open alarm ${alarmId}`,
              hint: 'See `kiwistack-operator alarm list`.',
            });
          }
          if (flags.json === true) printJson({ type: 'result', result: 'acknowledged', id });
          else process.stdout.write(`Alarm ${id} was acknowledged.\n`);
          return 0;
        }),
      ),
    );
}
