import { Command } from 'commander';

import { AGENT_VERSION } from '../../laptop/enrollment/agent-version.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, wholeNumber } from '../../terminal/carry-out.ts';
import { checkCommand } from './check-command.ts';
import { enrollCommand, type EnrollFlags } from './enroll-command.ts';
import { statusCommand } from './status-command.ts';
import { uninstallCommand } from './uninstall-command.ts';

const EXIT_CODES = `
Exit codes:
  0    done
  2    the command was not understood
  3    you must do something (key, PIN, touch)
  4    refused by the slice, or the slice refused by us
  5    slice or network not reachable
  6    this machine does not fit
  7    a fault of ours
  130  cancelled`;

/** The command `kiwistack-enroll`. stdout is the answer, stderr everything else. */
export function enrollProgram(): Command {
  const cli = new Command('kiwistack-enroll')
    .description(
      'Makes this laptop a managed one of a KiwiStack customer: plug in your YubiKey, enter the PIN, touch it.',
    )
    .version(AGENT_VERSION)
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .addHelpText('after', EXIT_CODES);

  cli
    .command('enroll')
    .description('enroll this laptop, or go on with an enrollment that was cut off')
    .option('--serial <number>', 'use the YubiKey with this serial number', wholeNumber)
    .option('--wait <seconds>', 'how long to wait for a YubiKey (default: 120)', wholeNumber)
    .option('--pin-fd <descriptor>', 'read the PIN from this open file descriptor instead of the terminal', wholeNumber)
    .option('--msp-roots <file>', "PEM with the provider's roots (default: the ones of the installed package)")
    .option('--json', 'one event a line on stdout; the last one is the result')
    .addHelpText(
      'after',
      `
What happens: the laptop is checked, your YubiKey is found, your customer's slice proves itself (compare the six digits with
your operator if in doubt), you enter the PIN and touch the key, and certificate, tunnel and Fleet agent are set up. Ctrl-C at
any time leaves the laptop as it was. Running it again is always safe.

Examples:
  sudo kiwistack-enroll enroll
  sudo kiwistack-enroll enroll --serial 12345678
  sudo kiwistack-enroll enroll --json --pin-fd 0 < pin-file
${EXIT_CODES}`,
    )
    .action((flags: EnrollFlags) =>
      carryOut(flags.json === true, () => enrollCommand(flags, cancelOnSignals()).then(() => 0)),
    );

  cli
    .command('status')
    .description('show what is enrolled and whether every part works; changes nothing')
    .option('--json', 'the same for programs')
    .addHelpText(
      'after',
      '\nExit code 0 only when every part is as it should be.\n\nExample:\n  sudo kiwistack-enroll status',
    )
    .action((flags: { json?: boolean }) => carryOut(flags.json === true, () => statusCommand(flags)));

  cli
    .command('check')
    .description(
      'tell a slice what waits to be told, ask it about this laptop, and clean up when it has let the laptop go',
    )
    .option('--json', 'the result for programs, one line on stdout')
    .addHelpText(
      'after',
      `
A timer runs it every hour. Exit code 0 when nothing is left to do. An enrollment is taken away only when the customer has let
this laptop go (offboarded, churn); anything else is reported and changes nothing.

Example:
  sudo kiwistack-enroll check`,
    )
    .action((flags: { json?: boolean }) => carryOut(flags.json === true, () => checkCommand(flags, cancelOnSignals())));

  cli
    .command('uninstall')
    .description('tell the slice, and take certificate, tunnel, Fleet agent and state away from this laptop')
    .option('--json', 'one event a line on stdout; the last one is the result')
    .addHelpText('after', '\nExample:\n  sudo kiwistack-enroll uninstall')
    .action((flags: { json?: boolean }) =>
      carryOut(flags.json === true, () => uninstallCommand(flags, cancelOnSignals()).then(() => 0)),
    );
  return cli;
}
