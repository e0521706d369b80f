import { Command, Option } from 'commander';

import { addExamples } from '../../terminal/add-examples.ts';
import { carryOut, wholeNumber } from '../../terminal/carry-out.ts';
import { addBackupCommands } from './backup-commands.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';
import { addCrlCommand } from './crl-command.ts';
import { addDoctorCommand } from './doctor-command.ts';
import { addCustomerCommands } from './customer-commands.ts';
import { downCommand } from './down-command.ts';
import { fleetCommand, type FleetFlags } from './fleet-command.ts';
import { initCommand } from './init-command.ts';
import type { InitFlags } from './init-options.ts';
import {
  installCommand,
  requestCommand,
  replaceCommand,
  revokedCommand,
  signCommand,
  type InstallFlags,
  type ReplaceFlags,
  type RequestFlags,
  type SignFlags,
} from './intermediate-commands.ts';
import { addPackagesCommands } from './packages-commands.ts';
import { addReloadCommand } from './reload-command.ts';
import { statusCommand } from './status-command.ts';
import { upCommand, type UpFlags } from './up-command.ts';

/** The command `kiwistack-slice`. The answer goes to stdout, everything else to stderr. */
export function sliceProgram(context: CommandContext): Command {
  const program = new Command('kiwistack-slice').description(
    "Creates and runs a customer's slice on this machine: gateway, step-ca and WireGuard endpoint.",
  );
  program
    .command('init')
    .description("Create a slice in an empty folder: provider's root, customer's intermediate, keys and registry")
    .requiredOption('--dir <folder>', 'folder of the slice; created if it does not exist')
    .requiredOption('--slug <slug>', "the customer's short name: a-z, 0-9 and -")
    .requiredOption('--name <name>', "the customer's full name, shown to people and in certificates")
    .requiredOption('--gateway-url <url>', 'public https URL of the gateway')
    .option('--listen <host:port>', 'where the gateway listens (default: 0.0.0.0 and the port of the URL)')
    .option('--public-address <host>', 'where laptops reach WireGuard (default: the host of the URL)')
    .option(
      '--tls-cert <file>',
      'TLS certificate chain of the gateway, PEM (default: issued by a web CA made for testing)',
    )
    .option('--tls-key <file>', 'key of that certificate, PEM')
    .option(
      '--root-certificate <file>',
      "the provider's root, PEM, if there is one already; the intermediate is then made with `intermediate request`, `sign` and `install`",
    )
    .option('--yubico-root <file>', "PEM file with attestation roots to trust instead of Yubico's, for testing")
    .addOption(
      new Option(
        '--tpm <policy>',
        'device keys in a TPM: not asked for, made there where possible, or demanded (default: off)',
      ).choices(['off', 'prefer', 'require']),
    )
    .option('--tpm-makers <file>', 'PEM file with the CA certificates of the makers whose TPMs are trusted')
    .option('--fleet-config <file>', 'Fleet server, as for `kiwistack-slice fleet --config`')
    .option('--role-domains <domain...>', 'DNS domains that laptops resolve through the tunnel')
    .option('--dns-servers <address...>', 'DNS servers in the internal network for these domains')
    .option('--inside-address <address>', "the slice's address in the tunnel network (default: 10.77.0.1)")
    .option('--inside-network <cidr>', 'tunnel network: addresses of the laptops (default: 10.77.0.0/24)')
    .option(
      '--inside-cidrs <cidr...>',
      'networks that laptops reach through the tunnel (default: the tunnel network and 10.77.1.0/24)',
    )
    .option('--interface <name>', 'name of the WireGuard interface (default: kiwi-slice)')
    .option('--wireguard-port <port>', 'UDP port of WireGuard (default: 51820)')
    .option('--ca-port <port>', 'port of step-ca at the inside address (default: 9443)')
    .option('--operator-port <port>', 'port for operators at the inside address (default: 9444)')
    .option('--crl-port <port>', 'port of the CRL at the inside address (default: 9080)')
    .option('--operator <name>', 'name of the operator in signed consents to re-enrollments (default: "operator")')
    .option('--quota <devices>', 'how many laptops the customer may have (default: 200)')
    .option('--rate-limit <per-second>', 'requests per second from one address (default: 20, in bursts of 120)')
    .option('--confirm-seconds <seconds>', 'how long a laptop has to confirm its enrollment (default: 900)')
    .option('--session-seconds <seconds>', 'how long a person has for PIN and touch (default: 300)')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: InitFlags) => carryOut(flags.json === true, () => initCommand(flags, context)));
  program
    .command('fleet')
    .description('Set or change the Fleet server that laptops enroll with; takes effect at the next `up`')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption('--config <file>', 'JSON: url, serverCaFile, apiTokenFile, enrollSecretFile, packages')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: FleetFlags) => carryOut(flags.json === true, () => fleetCommand(flags)));
  program
    .command('up')
    .description('Run the slice in the foreground until Ctrl-C, SIGTERM or `down`; needs root for WireGuard')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--json', 'print one JSON event per line; the last one is the result')
    .addOption(new Option('--log <level>', 'log level on stderr').choices(['error', 'warn', 'info']).default('info'))
    .action((flags: UpFlags) => carryOut(flags.json === true, () => upCommand(flags, context)));
  program
    .command('down')
    .description('Stop the slice, or clean up after one that was killed')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: SliceFlags) => carryOut(flags.json === true, () => downCommand(flags, context)));
  program
    .command('status')
    .description('Ask each part of the slice whether it works')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: SliceFlags) => carryOut(flags.json === true, () => statusCommand(flags, context)));
  addCrlCommand(program, context);
  addReloadCommand(program, context);
  addDoctorCommand(program, context);
  addBackupCommands(program, context);
  addIntermediate(program, context);
  addCustomerCommands(program, context);
  addPackagesCommands(program, context);
  addExamples(program, EXAMPLES);
  return program;
}

/** Loud on purpose, and there at all because the other way past two operators who cannot sign is to edit slice.json. */
const WITHOUT_APPROVAL = [
  '--without-approval <why>',
  'two operators are needed and cannot sign: do it all the same, and raise an alarm that says why',
] as const;

function addIntermediate(program: Command, context: CommandContext): void {
  const intermediate = program
    .command('intermediate')
    .description("Have the customer's intermediate signed by a provider's root that is kept elsewhere");
  intermediate
    .command('request')
    .description(
      'Write a request for an intermediate that is limited to the names of this customer; the key stays in the slice',
    )
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption('--out <file>', 'the request, JSON, to take to the root key')
    .option('--new-key', 'for a new key, where the old one may have been stolen: then take the answer with `replace`')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: RequestFlags) => carryOut(flags.json === true, () => requestCommand(flags)));
  intermediate
    .command('sign')
    .description(
      "Sign a request with the provider's root key in a file; needs no slice. With a policy, or the key in a YubiKey: kiwistack-msp sign",
    )
    .requiredOption('--root-certificate <file>', "the provider's root, PEM")
    .requiredOption('--root-key <file>', 'its key, P-256, PEM without a password')
    .requiredOption('--request <file>', 'what `intermediate request` wrote')
    .requiredOption('--out <file>', 'the answer, PEM: intermediate and root')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: SignFlags) => carryOut(flags.json === true, () => signCommand(flags, context)));
  intermediate
    .command('install')
    .description('Take the answer into a slice that is stopped; the old intermediate is kept beside it')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption('--in <file>', 'what `intermediate sign` wrote')
    .option(...WITHOUT_APPROVAL)
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: InstallFlags) => carryOut(flags.json === true, () => installCommand(flags, context)));
  intermediate
    .command('replace')
    .description(
      'Take the answer to `request --new-key` into a slice that is stopped, with new keys for all that was beside the old one',
    )
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption('--in <file>', 'what `kiwistack-msp sign` wrote')
    .option(
      '--revoked <file>',
      "the provider's revocation list with the old intermediate on it, from `kiwistack-msp revoke`",
    )
    .option('--not-revoked', 'the old key was not stolen: the old intermediate stays valid until it ends')
    .addOption(
      new Option('--rekey <how>', 'whether laptops follow by themselves, or are enrolled again with a touch').choices([
        'itself',
        'touch',
      ]),
    )
    .option('--hours <number>', 'how long they may follow by themselves (default: 168)', wholeNumber)
    .option(...WITHOUT_APPROVAL)
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: ReplaceFlags) => carryOut(flags.json === true, () => replaceCommand(flags, context)));
  intermediate
    .command('revoked')
    .description("Take the provider's newest revocation list into a slice; takes effect at the next `up`")
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption('--in <file>', 'the list, PEM')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: InstallFlags) => carryOut(flags.json === true, () => revokedCommand(flags)));
}

const EXAMPLES = [
  'sudo kiwistack-slice init --dir acme --slug acme --name "Acme GmbH" --gateway-url https://enroll.acme.example',
  'sudo kiwistack-slice intermediate request --dir acme --out request.json',
  'kiwistack-slice intermediate sign --root-certificate root.crt --root-key root.key --request request.json --out answer.pem',
  'sudo kiwistack-slice intermediate install --dir acme --in answer.pem',
  'sudo kiwistack-slice intermediate request --dir acme --new-key --out request.json',
  'sudo kiwistack-slice intermediate replace --dir acme --in answer.pem --revoked root.crl',
  'sudo kiwistack-slice intermediate revoked --dir beta --in root.crl',
  'sudo kiwistack-slice customer export --dir acme --customer acme --recipient their.pub --output acme.kiwibackup',
  'sudo kiwistack-slice fleet --dir acme --config fleet.json',
  'sudo kiwistack-slice packages add --dir acme kiwistack-enroll_0.1.0_amd64.deb',
  'sudo kiwistack-slice packages release --dir acme manifest.jws',
  'sudo kiwistack-slice packages list --dir acme',
  'sudo kiwistack-slice packages remove --dir acme kiwistack-enroll_0.1.0_amd64.deb',
  'sudo kiwistack-slice up --dir acme',
  'sudo kiwistack-slice status --dir acme --json',
  'sudo kiwistack-slice reload --dir acme --tls-cert fullchain.pem --tls-key privkey.pem',
  'sudo kiwistack-slice crl --dir acme --ca-file /etc/freeradius/3.0/certs/acme-ca.pem',
  'sudo kiwistack-slice doctor --dir acme',
  'sudo kiwistack-slice doctor --dir acme --check fleet-token --json',
  'sudo kiwistack-slice backup --dir acme --recipient backup.pem --output /mnt/backups/acme.kiwibackup',
  'kiwistack-slice verify acme.kiwibackup --key backup.key',
  'sudo kiwistack-slice restore acme.kiwibackup --key backup.key --dir acme',
  'sudo kiwistack-slice down --dir acme',
];
