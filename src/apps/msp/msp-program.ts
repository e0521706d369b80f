import { Command, Option } from 'commander';

import type { Clock } from '../../core/clock.ts';
import { REASONS } from '../../pki/revocation-list.ts';
import { addExamples } from '../../terminal/add-examples.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, numberUpTo, wholeNumber } from '../../terminal/carry-out.ts';
import { revokeCommand, type RevokeFlags } from './revoke-command.ts';
import { rootCommand, type RootCommandFlags } from './root-command.ts';
import { showCommand, signCommand, type ShowFlags, type SignFlags } from './sign-command.ts';

const JSON_OPTION = ['--json', 'print one line of JSON; fields are added, never removed'] as const;

/** The command `kiwistack-msp`. The answer goes to stdout, everything else to stderr. */
export function mspProgram({ clock }: { readonly clock: Clock }): Command {
  const program = new Command('kiwistack-msp').description(
    "The provider's root, on a machine without a network: signs and takes back the intermediates of customers.",
  );
  onToken(program.command('root'))
    .description('Make a root for 20 years, with its key in a YubiKey (PIN and touch for every use) or in a file')
    .requiredOption('--name <name>', "the provider's name")
    .requiredOption('--out <file>', 'the certificate, PEM, which laptops pin')
    .option('--key <file>', 'make the key in this new file, PEM without a password, and not in a YubiKey')
    .option(
      '--management-key-fd <descriptor>',
      'read the management key (hex) of the YubiKey from this open descriptor; default: the factory key',
      wholeNumber,
    )
    .action((flags: RootCommandFlags) =>
      carryOut(flags.json === true, () => rootCommand(flags, clock, cancelOnSignals())),
    );
  program
    .command('show')
    .description('Show what a request asks for, and whether the policy allows it; needs no key')
    .requiredOption('--request <file>', 'what `kiwistack-slice intermediate request` wrote')
    .requiredOption('--policy <file>', 'JSON: longestDays, customers with slug, name, domains and perhaps networks')
    .option(...JSON_OPTION)
    .action((flags: ShowFlags) => carryOut(flags.json === true, () => showCommand(flags)));
  withRootOptions(onToken(program.command('sign')))
    .description('Sign a request within the policy')
    .requiredOption('--request <file>', 'what `kiwistack-slice intermediate request` wrote')
    .requiredOption(
      '--key-digest <digest>',
      'the digest that the customer has read to you; it has to be that of the request',
    )
    .requiredOption('--policy <file>', 'JSON: longestDays, customers with slug, name, domains and perhaps networks')
    .option('--days <number>', 'life of the intermediate (default: the longest that the policy allows)', wholeNumber)
    .requiredOption('--out <file>', 'the answer, PEM: intermediate and root')
    .action((flags: SignFlags) => carryOut(flags.json === true, () => signCommand(flags, clock, cancelOnSignals())));
  withRootOptions(onToken(program.command('revoke')))
    .description("Take intermediates back: write the root's next revocation list. Without any, only renew the list")
    .option('--certificate <file...>', 'the intermediates, PEM')
    .addOption(new Option('--reason <reason>', 'why').choices(Object.keys(REASONS)).default('key-compromise'))
    .option('--list <file>', 'the last list of this root, from which the new one goes on')
    .option('--first', 'there never was a list of this root')
    .option('--days <number>', 'how long OpenSSL and others take the list', numberUpTo(3653), 365)
    .requiredOption('--out <file>', 'the new list, PEM')
    .action((flags: RevokeFlags) =>
      carryOut(flags.json === true, () => revokeCommand(flags, clock, cancelOnSignals())),
    );
  addExamples(program, EXAMPLES);
  return program;
}

/** What every command has that may sign with a YubiKey. */
function onToken(command: Command): Command {
  return command
    .option('--serial <number>', 'serial number of the YubiKey, if several are plugged in', wholeNumber)
    .option('--pin-fd <descriptor>', 'read the PIN from this open descriptor instead of the terminal', wholeNumber)
    .option(...JSON_OPTION);
}

function withRootOptions(command: Command): Command {
  return command
    .requiredOption('--root-certificate <file>', "the provider's root, PEM")
    .option('--root-key <file>', 'its key, P-256, PEM without a password (default: it is in a YubiKey, slot 9c)');
}

const EXAMPLES = [
  'kiwistack-msp root --name "KiwiStack" --out root.crt',
  'kiwistack-msp show --request request.json --policy policy.json',
  'kiwistack-msp sign --request request.json --key-digest DIGEST --policy policy.json --root-certificate root.crt --out answer.pem',
  'kiwistack-msp revoke --certificate old.crt --root-certificate root.crt --list root-1.crl --out root-2.crl',
  'kiwistack-msp revoke --first --certificate old.crt --root-certificate root.crt --root-key root.key --out root-1.crl',
];
