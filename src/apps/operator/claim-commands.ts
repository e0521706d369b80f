import type { Command } from 'commander';

import { carryOut, numberUpTo } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { listing, onList, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { Id } from './table.ts';

const LONGEST_HOURS = 8760;

type ReopenFlags = Flags & {
  readonly hours: number;
  readonly serial?: string;
  readonly uuid?: string;
  readonly why: string;
};

/** `claim`: laptops with a token that wait to be let in, or cannot be. */
export function addClaimCommands(program: Command): void {
  const claim = program.command('claim').description('Let laptops in that have a token and wait');
  onList(claim.command('list'))
    .description('List the laptops that wait, each with the code that it shows')
    .option('--all', 'also those that were let in or refused')
    .action((flags: Flags & { all?: boolean }) =>
      listing(flags, async (slice) =>
        (await slice.ask('claim.list', { all: flags.all === true })).map((one) => ({
          ...{ code: one.code, serial: one.serial, name: one.hostName, from: one.remote, since: time(one.createdAt) },
          ...{ state: one.state, by: one.decidedBy ?? '', id: new Id(one.sessionId) },
        })),
      ),
    );
  onSlice(claim.command('approve <code>'))
    .description('Let the laptop in that shows this code: have somebody in front of it read it to you')
    .action((code: string, flags: Flags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { serial, hostName, sessionId } = await slice.ask('claim.approve', { claim: code });
          printAnswer(flags, 'approved', { serial, hostName, sessionId }, [
            `${hostName} (${serial}) is let in. It goes on within half a minute.`,
          ]);
          return 0;
        }),
      ),
    );
  onSlice(claim.command('refuse <code>'))
    .description('Do not let it in. Its token stays good for another start')
    .requiredOption('--why <text>', 'reason, for the audit')
    .action((code: string, flags: Flags & { why: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { serial, hostName, sessionId } = await slice.ask('claim.refuse', { claim: code, why: flags.why });
          printAnswer(flags, 'refused', { serial, hostName, sessionId }, [`${hostName} (${serial}) is not let in.`]);
          return 0;
        }),
      ),
    );
  onSlice(claim.command('reopen <serial>'))
    .description('Let the token of a laptop be used once more, or longer, or after its mainboard was changed')
    .option('--hours <number>', 'how long', numberUpTo(LONGEST_HOURS), 72)
    .option('--serial <serial>', 'the serial number that it has now')
    .option('--uuid <uuid>', 'the UUID that it has now')
    .requiredOption('--why <text>', 'reason, for the audit')
    .action((token: string, flags: ReopenFlags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { hours, serial, uuid, why } = flags;
          const to = { ...(serial === undefined ? {} : { serial }), ...(uuid === undefined ? {} : { uuid }) };
          const reopened = await slice.ask('claim.reopen', { token, hours, why, ...to });
          const until = time(reopened.expiresAt);
          printAnswer(flags, 'reopened', { id: reopened.id, serial: reopened.serial, until }, [
            `The token of ${reopened.serial} is good until ${until.toISOString()}. Start the laptop anew.`,
            'If it was enrolled before, it needs a consent as well: `kiwistack-operator device consent`.',
          ]);
          return 0;
        }),
      ),
    );
}
