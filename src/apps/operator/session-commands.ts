import type { Command } from 'commander';

import { listing, onSlice, time, type Flags } from './on-slice.ts';

/** `session`: the enrollments that are going on. */
export function addSessionCommands(program: Command): void {
  const session = program.command('session').description('enrollments that are going on');
  onSlice(session.command('list'))
    .description('sessions that are alive, with the six digits that the laptop shows')
    .action((flags: Flags) =>
      listing(flags, async (slice) =>
        (await slice.listSessions()).map(({ id, code, remote, createdAt, expiresAt, used }) => ({
          code,
          from: remote,
          begun: time(createdAt),
          expires: time(expiresAt),
          state: used ? 'used' : 'waiting',
          id,
        })),
      ),
    );
}
