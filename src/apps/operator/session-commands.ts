import type { Command } from 'commander';

import { listing, onList, time, type Flags } from './on-slice.ts';
import { Id } from './table.ts';

/** `session`: the enrollments in progress. */
export function addSessionCommands(program: Command): void {
  const session = program.command('session').description('Show enrollments in progress');
  onList(session.command('list'))
    .description(
      'List the enrollments that wait for the person (waiting) or for the laptop (used), each with the session code that the laptop shows',
    )
    .action((flags: Flags) =>
      listing(flags, async (slice) =>
        (await slice.ask('session.list')).map(({ id, code, remote, createdAt, expiresAt, used }) => ({
          code,
          from: remote,
          begun: time(createdAt),
          expires: time(expiresAt),
          state: used ? 'used' : 'waiting',
          id: new Id(id),
        })),
      ),
    );
}
