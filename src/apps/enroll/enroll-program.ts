import { Command } from 'commander';

import { cancelOnSignals, stopOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, wholeNumber } from '../../terminal/carry-out.ts';
import { checkCommand } from './check-command.ts';
import { claimCommand, TOKEN_FILE, type ClaimFlags } from './claim-command.ts';
import { doctorCommand, type DoctorFlags } from './doctor-command.ts';
import { enrollCommand, type EnrollFlags } from './enroll-command.ts';
import { mendCommand, type MendFlags } from './mend-command.ts';
import { renewCommand } from './renew-command.ts';
import { statusCommand, type StatusFlags } from './status-command.ts';
import { secureDiskCommand, type SecureDiskFlags } from './secure-disk-command.ts';
import { supportBundleCommand, type BundleFlags } from './support-bundle-command.ts';
import { tunnelCommand, type TunnelFlags } from './tunnel-command.ts';
import { updateCommand } from './update-command.ts';
import { uninstallCommand } from './uninstall-command.ts';

/** The command `kiwistack-enroll`. stdout is the answer, stderr everything else. */
export function enrollProgram(): Command {
  const cli = new Command('kiwistack-enroll').description(
    'Enrolls this laptop with a KiwiStack customer, so that the customer can manage it. You need your YubiKey and its PIN.',
  );

  cli
    .command('enroll')
    .description('Enroll this laptop, or resume an interrupted enrollment')
    .option('--serial <number>', 'use the YubiKey with this serial number', wholeNumber)
    .option('--wait <seconds>', 'how long to wait for a YubiKey to be plugged in (default: 120)', wholeNumber)
    .option('--pin-fd <descriptor>', 'read the PIN from this open file descriptor instead of the terminal', wholeNumber)
    .option('--msp-roots <file>', "PEM file with the provider's root certificates (default: those in the package)")
    .option('--sign-in', 'let people sign in to this laptop with the account of your organisation, if it offers that')
    .option('--json', 'print one event per line on stdout; the last one is the result')
    .addHelpText(
      'after',
      `
Plug in your YubiKey. kiwistack-enroll checks the laptop and verifies your organisation's slice, then asks for the PIN and a
touch of the key, and sets up the device certificate, the tunnel and the Fleet agent. The session code it shows is also
shown to your operator: compare them if in doubt.

With --sign-in, SSSD is set up as well: whoever has an account of your organisation can sign in to this laptop, also offline
for as long as your organisation allows it. Nothing of it happens without that option, and uninstall takes it back.

If anything fails, or you press Ctrl-C, all changes are undone. It is always safe to run the command again.

Examples:
  sudo kiwistack-enroll enroll
  sudo kiwistack-enroll enroll --serial 12345678
  sudo kiwistack-enroll enroll --sign-in
  sudo kiwistack-enroll enroll --json --pin-fd 0 < pin-file`,
    )
    .action((flags: EnrollFlags) =>
      carryOut(flags.json === true, () => enrollCommand(flags, cancelOnSignals()).then(() => 0)),
    );

  cli
    .command('claim')
    .description('Claim this laptop with the token that its maker put on it; done by itself at the first start')
    .option('--token <file>', 'the token', TOKEN_FILE)
    .option('--msp-roots <file>', "PEM file with the provider's root certificates (default: those in the package)")
    .option('--json', 'print one event per line on stdout; the last one is the result')
    .addHelpText(
      'after',
      `
It goes on until the laptop is claimed, whatever the network does, and says what it waits for. Where an operator has to let the
laptop in, it shows six digits. Stopped, or cut off, it goes on at the next start. The token is removed at the
end, when it is used up.

Example:
  sudo kiwistack-enroll claim`,
    )
    .action((flags: ClaimFlags) =>
      carryOut(flags.json === true, () => claimCommand(flags, stopOnSignals()).then(() => 0)),
    );

  cli
    .command('status')
    .description('Show the enrollment and whether each part of it works; changes nothing')
    .option('--watch', 'stay, and show what changes until Ctrl-C')
    .option('--json', 'print the status as one line of JSON; with --watch, one at each change')
    .addHelpText(
      'after',
      '\nThe exit code is 0 only if every part works; otherwise it is that of the failure that explains most.\n\nExample:\n  sudo kiwistack-enroll status',
    )
    .action((flags: StatusFlags) => carryOut(flags.json === true, () => statusCommand(flags, stopOnSignals())));

  cli
    .command('doctor')
    .description('Examine this laptop and its enrollment: what is well, what is not, and what to do')
    .option('--check <code...>', 'only these checks, and those that they depend on')
    .option('--fix', 'repair what needs no decision, saying what is done, and examine again')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Every check says what it saw. ✓ is well; ✗ is a failure and ! a warning, each with what it means and what to do; ? could not
be looked at; - was not looked at, because of the checks that it names. The exit code is 0 if there is no failure; otherwise
it is that of the failure that explains most. On a laptop that is not enrolled, only what is not well is shown, and the exit
code is 3, as that of status. Without root, less can be seen. --json has one line; with --fix, one for each
event, and the result last.

Examples:
  sudo kiwistack-enroll doctor
  sudo kiwistack-enroll doctor --fix
  sudo kiwistack-enroll doctor --check tunnel-inside
  sudo kiwistack-enroll doctor --json`,
    )
    .action((flags: DoctorFlags) => carryOut(flags.json === true, () => doctorCommand(flags, cancelOnSignals())));

  cli
    .command('check')
    .description(
      "Report a pending deregistration, ask the slice for this laptop's status, renew its certificate, and uninstall if the laptop was offboarded",
    )
    .option('--json', 'print one event per line on stdout; the last one is the result')
    .addHelpText(
      'after',
      `
A timer runs this command every hour. The enrollment is removed only if an operator ended the device as offboarded or churn.
Any other status is only reported. The certificate is renewed when half of its life is over. If the tunnel does not reach
the slice, or carries small packets only, it is mended: the slice may have another address by now, and the network may take
smaller packets. The exit code is 0 if nothing is left to do.

Example:
  sudo kiwistack-enroll check`,
    )
    .action((flags: { json?: boolean }) => carryOut(flags.json === true, () => checkCommand(flags, cancelOnSignals())));

  cli
    .command('mend')
    .description('Bring a tunnel back that does not answer, and fit its packets to the network')
    .option('--reason <word>', 'why, for the log: network, wake, clock, silent, stale or asked (default: asked)')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
A watcher runs this command when the network changes, the laptop wakes up, or the tunnel gets no answers; \`check\` does the
same every hour. If the tunnel stays silent, it says why: no network, no address for the slice's name, UDP blocked, or a slice
that does not answer at all. The exit code is 0 if the tunnel carries packets.

Example:
  sudo kiwistack-enroll mend`,
    )
    .action((flags: MendFlags) => carryOut(flags.json === true, () => mendCommand(flags, cancelOnSignals())));

  cli
    .command('tunnel')
    .description('On macOS: have the WireGuard app keep the tunnel, or this program again')
    .requiredOption('--by <keeper>', 'app or daemon')
    .option('--json', 'print one event per line on stdout; the last one is the result')
    .addHelpText(
      'after',
      `
This program keeps the tunnel by a daemon of its own, from the start of the laptop on, and nothing need be changed. Who wants
the symbol and the switch of the WireGuard app can have it keep the tunnel instead: then it comes up only after a login. The
command shows a signed profile in System Settings, which an administrator at the screen approves, and waits for that, for up to
an hour; until then the daemon keeps the tunnel. If the app does not bring it up, the daemon does again. Ctrl-C takes all of it
back. The profile stays good when the certificate is renewed. Linux and Windows have no such choice.

Examples:
  sudo kiwistack-enroll tunnel --by app
  sudo kiwistack-enroll tunnel --by daemon`,
    )
    .action((flags: TunnelFlags) => carryOut(flags.json === true, () => tunnelCommand(flags, cancelOnSignals())));

  cli
    .command('renew')
    .description('Renew the device certificate now; `check` does it by itself when half of its life is over')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText('after', '\nThe device key stays, and so does the tunnel.\n\nExample:\n  sudo kiwistack-enroll renew')
    .action((flags: { json?: boolean }) =>
      carryOut(flags.json === true, () => renewCommand(flags, cancelOnSignals()).then(() => 0)),
    );

  cli
    .command('update')
    .description('Install the version that the provider has released, if it is newer and this laptop is to take it now')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
A timer runs this command every day. The gateway hands on what the provider has signed with its release key, which the
package pins; the packages are verified by size and SHA-256 before the system's own package manager installs them. No older
version is ever installed. Without such a key in the package, nothing is done.

Example:
  sudo kiwistack-enroll update`,
    )
    .action((flags: { json?: boolean }) =>
      carryOut(flags.json === true, () => updateCommand(flags, cancelOnSignals()).then(() => 0)),
    );

  cli
    .command('secure-disk')
    .description("Have the organisation keep a recovery key for this laptop's disk, if it wants one")
    .option('--agree', 'on your own laptop: agree to it without being asked')
    .option('--passphrase-fd <descriptor>', 'read the passphrase of the disk from this descriptor', wholeNumber)
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
On a laptop that came from the organisation a timer runs this command: the disk gets a key that no other laptop has, the slice
keeps a recovery key that only the organisation's own YubiKeys can read, the TPM opens the disk at start, and the key of
the factory is removed. It goes on where it was interrupted.

On your own laptop nothing is done unless the organisation wants it and you agree: then the recovery key is added, and
nothing else is changed. It is removed again when you uninstall. You are asked for the passphrase of your disk.

Example:
  sudo kiwistack-enroll secure-disk`,
    )
    .action((flags: SecureDiskFlags) =>
      carryOut(flags.json === true, () => secureDiskCommand(flags, cancelOnSignals())),
    );

  cli
    .command('support-bundle')
    .description(
      'Write what helps to find out what is wrong into a file, or send it, without secrets and signed by this laptop',
    )
    .option('--output <file>', 'the file; it must not be there yet')
    .option('--show', 'print all that is in it')
    .option('--send', "send it to your organisation's slice, after you have said yes")
    .option('--yes', 'do not ask before it is sent')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Only what is on a list leaves the laptop: versions, the outcome of each check, the certificate, the steps of the enrollment,
the states of our services, our own log, the tunnel. No key, PIN or password, no address of another network, and no text of
another program. Without --send nothing is sent: give the file to your operator. With it, a file is written only if --output
names one, or if the bundle could not be sent. The tunnel need not work for it.

Examples:
  sudo kiwistack-enroll support-bundle --show
  sudo kiwistack-enroll support-bundle --send`,
    )
    .action((flags: BundleFlags) =>
      carryOut(flags.json === true, () => supportBundleCommand(flags, cancelOnSignals()).then(() => 0)),
    );

  cli
    .command('uninstall')
    .description('Deregister this laptop, and remove its certificate, tunnel, Fleet agent and state')
    .option('--json', 'print one event per line on stdout; the last one is the result')
    .addHelpText('after', '\nExample:\n  sudo kiwistack-enroll uninstall')
    .action((flags: { json?: boolean }) =>
      carryOut(flags.json === true, () => uninstallCommand(flags, cancelOnSignals()).then(() => 0), {
        anyEnvironment: true,
      }),
    );
  return cli;
}
