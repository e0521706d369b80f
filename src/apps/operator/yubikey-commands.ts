import type { Command } from 'commander';

import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, wholeNumber } from '../../terminal/carry-out.ts';
import { printJson } from '../../terminal/report.ts';
import { listing, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { provisionCommand, type ProvisionFlags } from './provision-command.ts';

/** `yubikey`: the keys that staff enroll their laptops with. */
export function addYubikeyCommands(program: Command): void {
  const yubikey = program.command('yubikey').description('the keys that staff enroll their laptops with');
  onSlice(yubikey.command('provision'))
    .description('make a key in a plugged-in YubiKey, have its certificate issued, write it, register it')
    .requiredOption('--role <role>', 'role of the person: OU of the certificates')
    .option('--serial <number>', 'the YubiKey, when several are plugged in', wholeNumber)
    .option('--pin-fd <descriptor>', 'read the PIN from this open descriptor instead of the terminal', wholeNumber)
    .option(
      '--management-key-fd <descriptor>',
      'read the management key (hex) from it; else the factory one',
      wholeNumber,
    )
    .action((flags: ProvisionFlags) => carryOut(flags.json === true, () => provisionCommand(flags, cancelOnSignals())));
  onSlice(yubikey.command('list'))
    .description('the registered keys')
    .action((flags: Flags) =>
      listing(flags, async (slice) => {
        const keys = await slice.listYubikeys();
        return keys.map(({ serial, slot, role, registeredAt, burnedAt, burnedWhy }) => ({
          serial,
          slot,
          role,
          registered: time(registeredAt),
          state: burnedAt === null ? 'active' : 'burned',
          ...(burnedAt === null ? {} : { burned: time(burnedAt), why: burnedWhy ?? '' }),
        }));
      }),
    );
  onSlice(yubikey.command('burn'))
    .description('a lost or stolen key: it never enrolls a laptop again')
    .requiredOption('--serial <number>', 'printed on the key', wholeNumber)
    .option('--why <text>', 'for the audit', 'reported lost')
    .action((flags: Flags & { serial: number; why: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags.dir, async (slice) => {
          const { revoked } = await slice.burnYubikey(flags.serial, flags.why);
          if (flags.json === true) printJson({ type: 'result', result: 'burned', serial: flags.serial, revoked });
          else {
            process.stdout.write(`YubiKey ${flags.serial} is burned: it enrolls no laptop any more.\n`);
            if (!revoked) process.stdout.write('Its certificate is revoked as soon as step-ca answers again.\n');
            process.stdout.write('Laptops that it enrolled before stay enrolled: see `device list`.\n');
          }
          return 0;
        }),
      ),
    );
}
