import type { Command } from 'commander';

import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { onSlice, withSlice, type Flags } from './on-slice.ts';

/** `intermediate`: what operators say about the certificate authority of their customer. */
export function addIntermediateCommands(program: Command): void {
  const intermediate = program.command('intermediate').description("Permit that the slice's intermediate is changed");
  onSlice(intermediate.command('permit'))
    .description(
      'Permit an intermediate with this key, for `kiwistack-slice intermediate replace` and `install`; two admins sign it',
    )
    .requiredOption('--key-digest <digest>', 'SHA-256 of the public key, as it was read to the provider')
    .action((flags: Flags & { keyDigest: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { keyDigest } = flags;
          await slice.ask('intermediate.permit', { keyDigest });
          printAnswer(flags, 'permitted', { keyDigest }, [
            'Recorded. This slice needs no second operator now, so its change of the intermediate asks nobody.',
          ]);
          return 0;
        }),
      ),
    );
}
