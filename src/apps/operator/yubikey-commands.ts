import type { Command } from 'commander';

import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, wholeNumber } from '../../terminal/carry-out.ts';
import { addLostKeyCommands } from './lost-key-commands.ts';
import { listing, onList, onSlice, time, type Flags } from './on-slice.ts';
import { addProvisionManyCommands } from './provision-many-command.ts';
import { addReissueCommand } from './reissue-command.ts';
import { keyOptions, provisionCommand, type ProvisionFlags } from './provision-command.ts';

/** `yubikey`: the keys that staff use to enroll their laptops. */
export function addYubikeyCommands(program: Command): void {
  const yubikey = program.command('yubikey').description('Provision, list and burn YubiKeys');
  keyOptions(onSlice(yubikey.command('provision')))
    .description('Prepare a YubiKey for a member of staff: generate its key, issue its certificate, register it')
    .requiredOption('--role <role>', 'role of the person; becomes the OU of the certificates')
    .option('--serial <number>', 'serial number of the YubiKey, if several are plugged in', wholeNumber)
    .option('--reinstate', 'take a burned YubiKey back: with a new key and certificate it may enroll laptops again')
    .action((flags: ProvisionFlags) => carryOut(flags.json === true, () => provisionCommand(flags, cancelOnSignals())));
  addProvisionManyCommands(yubikey);
  addReissueCommand(yubikey, 'yubikey');
  onList(yubikey.command('list'))
    .description('List the registered YubiKeys')
    .action((flags: Flags) =>
      listing(flags, async (slice) => {
        const keys = await slice.ask('yubikey.list');
        return keys.map(({ serial, slot, role, registeredAt, burnedAt, burnedWhy, certified, written }) => ({
          serial,
          slot,
          role,
          registered: time(registeredAt),
          state: burnedAt !== null ? 'burned' : written ? 'written' : certified ? 'active' : 'reissue',
          ...(burnedAt === null ? {} : { burned: time(burnedAt), why: burnedWhy ?? '' }),
        }));
      }),
    );
  addLostKeyCommands(yubikey);
}
