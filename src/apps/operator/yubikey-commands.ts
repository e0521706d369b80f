import type { Command } from 'commander';

import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, wholeNumber } from '../../terminal/carry-out.ts';
import { printJson } from '../../terminal/report.ts';
import { KiwiError } from '../../core/errors.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { askConfirmation } from './ask-confirmation.ts';
import { listing, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { addReissueCommand } from './reissue-command.ts';
import { provisionCommand, type ProvisionFlags } from './provision-command.ts';

/** `yubikey`: the keys that staff use to enroll their laptops. */
export function addYubikeyCommands(program: Command): void {
  const yubikey = program.command('yubikey').description('Provision, list and burn YubiKeys');
  onSlice(yubikey.command('provision'))
    .description('Prepare a YubiKey for a member of staff: generate its key, issue its certificate, register it')
    .requiredOption('--role <role>', 'role of the person; becomes the OU of the certificates')
    .option('--serial <number>', 'serial number of the YubiKey, if several are plugged in', wholeNumber)
    .option('--reinstate', 'take a burned YubiKey back: with a new key and certificate it may enroll laptops again')
    .option('--pin-fd <descriptor>', 'read the PIN from this open descriptor instead of the terminal', wholeNumber)
    .option(
      '--management-key-fd <descriptor>',
      'read the management key (hex) from this open descriptor; default: the factory key',
      wholeNumber,
    )
    .action((flags: ProvisionFlags) => carryOut(flags.json === true, () => provisionCommand(flags, cancelOnSignals())));
  addReissueCommand(yubikey);
  onSlice(yubikey.command('list'))
    .description('List the registered YubiKeys')
    .action((flags: Flags) =>
      listing(flags, async (slice) => {
        const keys = await slice.ask('yubikey.list');
        return keys.map(({ serial, slot, role, registeredAt, burnedAt, burnedWhy, certified }) => ({
          serial,
          slot,
          role,
          registered: time(registeredAt),
          state: burnedAt !== null ? 'burned' : certified ? 'active' : 'reissue',
          ...(burnedAt === null ? {} : { burned: time(burnedAt), why: burnedWhy ?? '' }),
        }));
      }),
    );
  onSlice(yubikey.command('burn'))
    .description('Block a lost or stolen YubiKey: it can never enroll a laptop again')
    .requiredOption('--serial <number>', 'serial number, printed on the YubiKey', wholeNumber)
    .option('--why <text>', 'reason, for the audit', 'reported lost')
    .option('--yes', 'do not ask for confirmation')
    .action((flags: Flags & { serial: number; why: string; yes?: boolean }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          await askConfirmation(await whatBurnEnds(slice, flags.serial), `${flags.serial}`, flags);
          const { revoked } = await slice.ask('yubikey.burn', { serial: flags.serial, why: flags.why });
          if (flags.json === true) printJson({ type: 'result', result: 'burned', serial: flags.serial, revoked });
          else {
            process.stdout.write(`YubiKey ${flags.serial} is burned: it can no longer enroll laptops.\n`);
            if (!revoked) process.stdout.write('Its certificate is revoked as soon as step-ca runs again.\n');
            process.stdout.write('Laptops that it has already enrolled stay enrolled.\n');
          }
          return 0;
        }),
      ),
    );
}

/** @throws KiwiError `yubikey-unregistered` */
async function whatBurnEnds(slice: OperatorSlice, serial: number): Promise<string> {
  const key = await slice.ask('yubikey.find', { serial });
  if (key === null) {
    throw new KiwiError('yubikey-unregistered', {
      detail: `serial ${serial}`,
      hint: 'See `kiwistack-operator yubikey list`.',
    });
  }
  const devices = (await slice.ask('device.list')).filter((device) => device.yubikeySerial === serial);
  const [active, unfinished] = ['active', 'pending'].map(
    (state) => devices.filter((device) => device.state === state).length,
  );
  return (
    `The key and certificate of YubiKey ${serial} (${key.role}) will be blocked for good: it enrolls no more laptops. ` +
    `Laptops that it is enrolling end (${unfinished}); laptops that it has enrolled stay (${active}).`
  );
}
