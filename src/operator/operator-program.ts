import { Command } from 'commander';

import { cancelOnSignals } from '../terminal/cancel-on-signals.ts';
import { carryOut, wholeNumber } from '../terminal/carry-out.ts';
import { printJson } from '../terminal/report.ts';
import { provisionCommand, type ProvisionFlags } from './provision-command.ts';
import { addDeviceCommands } from './device-commands.ts';
import { listing, onSlice, time, withSlice, type Flags } from './on-slice.ts';

/** The command `kiwistack-operator`: noun, verb. stdout is the answer, stderr everything else. */
export function operatorProgram(): Command {
  const program = new Command('kiwistack-operator')
    .description(
      'Gives out, lists and burns YubiKeys; lists and ends laptops, consents to re-enrollments; shows sessions and the audit.',
    )
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .addHelpText('after', EXAMPLES);

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

  addDeviceCommands(program);

  const audit = program.command('audit').description('every decision of the slice');
  onSlice(audit.command('list'))
    .description('the newest first')
    .option('--limit <number>', 'how many', wholeNumber, 50)
    .action((flags: Flags & { limit: number }) =>
      listing(flags, async (slice) =>
        (await slice.audit(flags.limit)).map((entry) => ({
          at: time(entry.at),
          action: entry.action,
          decision: entry.decision,
          code: entry.code ?? '',
          actor: entry.actor,
          yubikey: entry.yubikeySerial ?? '',
          device: entry.deviceId ?? '',
          why: entry.why ?? '',
          request: entry.requestId,
        })),
      ),
    );

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
  return program;
}

const EXAMPLES = `
Examples:
  sudo kiwistack-operator yubikey provision --dir acme --role engineer
  sudo kiwistack-operator yubikey burn --dir acme --serial 12345678 --why "left in a train"
  sudo kiwistack-operator session list --dir acme
  sudo kiwistack-operator device consent anna-laptop --dir acme --why "new disk"
  sudo kiwistack-operator device end anna-laptop --dir acme --why lost
  sudo kiwistack-operator audit list --dir acme --limit 20 --json

Exit codes: 0 done, 2 usage, 3 somebody must do something, 4 refused, 5 not reachable, 6 this machine, 7 a fault of ours.`;
