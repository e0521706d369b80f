import { Command, CommanderError } from 'commander';

import { EXIT } from '../../core/error-codes.ts';
import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import type { CommandContext } from './command-context.ts';
import { downCommand } from './down-command.ts';
import { fleetCommand } from './fleet-command.ts';
import { initCommand } from './init-command.ts';
import type { InitFlags } from './init-options.ts';
import { statusCommand } from './status-command.ts';
import { upCommand } from './up-command.ts';

/**
 * The command `kiwistack-slice`. stdout is the answer, stderr everything else.
 * @returns the exit code
 */
export async function sliceProgram(argv: readonly string[], context: CommandContext): Promise<number> {
  const json = argv.includes('--json');
  const program = new Command('kiwistack-slice')
    .description("A customer's slice on one machine: gateway, step-ca and WireGuard endpoint.")
    .exitOverride()
    .addHelpText('after', EXAMPLES);
  program
    .command('init')
    .description("Make a slice in an empty folder: MSP root, customer's intermediate, keys, registry.")
    .requiredOption('--dir <folder>', 'folder of the slice; made if it is not there')
    .requiredOption('--slug <slug>', "customer's short name: a-z, 0-9 and -")
    .requiredOption('--name <name>', "customer's name, as people and certificates show it")
    .requiredOption('--gateway-url <url>', 'public https URL of the gateway')
    .option('--listen <host:port>', 'where the gateway listens (default 0.0.0.0 and the port of the URL)')
    .option('--public-address <host>', 'where laptops reach WireGuard (default: the host of the URL)')
    .option('--tls-cert <file>', 'TLS certificate chain of the gateway, PEM; without it a stand-in web CA is made')
    .option('--tls-key <file>', 'its key, PEM')
    .option('--yubico-root <file>', "PEM roots that stand in for Yubico's")
    .option('--fleet-config <file>', 'JSON: url, serverCaFile, apiTokenFile, enrollSecretFile, packages')
    .option('--role-domains <domain...>', 'DNS domains that laptops resolve inside')
    .option('--dns-servers <address...>', 'DNS servers inside that know them')
    .option('--inside-address <address>', "the slice's address in the tunnel network (default 10.77.0.1)")
    .option('--inside-network <cidr>', 'network of the laptops (default 10.77.0.0/24)')
    .option(
      '--inside-cidrs <cidr...>',
      'what laptops reach through the tunnel (default: that network and 10.77.1.0/24)',
    )
    .option('--interface <name>', 'name of the WireGuard interface (default kiwi-slice)')
    .option('--wireguard-port <port>', 'UDP port (default 51820)')
    .option('--ca-port <port>', 'port of step-ca, inside (default 9443)')
    .option('--crl-port <port>', 'port of the CRL, inside (default 9080)')
    .option('--operator <name>', 'who consents to re-enrollments, as it stands in what is signed (default "operator")')
    .option('--quota <devices>', 'how many laptops the customer may have (default 200)')
    .option('--rate-limit <per-second>', 'requests a second from one address (default 20, in bursts of 120)')
    .option('--confirm-seconds <seconds>', 'time a laptop has to confirm (default 900)')
    .option('--session-seconds <seconds>', 'time for PIN and touch (default 300)')
    .option('--json', 'answer as JSON')
    .action((flags: InitFlags) => initCommand(flags, context));
  program
    .command('fleet')
    .description('Set or change the Fleet server that laptops join. Takes effect with the next `up`.')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption('--config <file>', 'JSON: url, serverCaFile, apiTokenFile, enrollSecretFile, packages')
    .option('--json', 'answer as JSON')
    .action((flags: { dir: string; config: string; json?: boolean }) => fleetCommand(flags));
  program
    .command('up')
    .description('Run the slice in the foreground until Ctrl-C, SIGTERM or `down`. Needs root for WireGuard.')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--json', 'one JSON event a line')
    .option('--log <level>', 'how much is logged on stderr: error, warn, info', 'info')
    .action((flags: { dir: string; json?: boolean; log: string }) => upCommand(flags, context));
  program
    .command('down')
    .description('Stop the slice in a folder, or clean up behind one that was killed.')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--json', 'answer as JSON')
    .action((flags: { dir: string; json?: boolean }) => downCommand(flags, context));
  program
    .command('status')
    .description('How each part stands, asked of the part itself.')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--json', 'answer as JSON')
    .action((flags: { dir: string; json?: boolean }) => statusCommand(flags));
  try {
    await program.parseAsync([...argv]);
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return fail(toKiwiError(error), json);
  }
}

function fail(error: KiwiError, json: boolean): number {
  const { code, message, hint, detail } = error;
  if (json) process.stdout.write(`${JSON.stringify({ event: 'error', code, message, hint, detail })}\n`);
  const details = detail === undefined ? '' : `details: ${detail}\n`;
  process.stderr.write(`error: ${message}\n${details}hint: ${hint}\n`);
  return error.exitCode;
}

const EXAMPLES = `
Examples:
  sudo kiwistack-slice init --dir acme --slug acme --name "Acme GmbH" --gateway-url https://enroll.acme.example
  sudo kiwistack-slice up --dir acme
  sudo kiwistack-slice status --dir acme --json
  sudo kiwistack-slice down --dir acme

Exit codes: 0 done, 2 usage, 3 somebody must do something, 4 refused, 5 not reachable, 6 this machine, 7 a fault of ours.`;
