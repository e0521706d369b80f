import { Option, type Command } from 'commander';

import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { remoteSlice } from '../../operator-client/remote-slice.ts';
import { SignInStore, type StoreKind } from '../../operator-client/sign-in-store.ts';
import { signIn } from '../../operator-client/sign-in.ts';
import { MAX_SESSION_HOURS } from '../../protocol/operator-sign-in.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, numberUpTo, wholeNumber } from '../../terminal/carry-out.ts';
import { checkDescriptor } from '../../terminal/check-descriptor.ts';
import { printAnswer } from '../../terminal/report.ts';
import { originOf } from './on-slice.ts';
import { withOperatorKey, type KeyFlags } from './operator-yubikey.ts';

interface SignInFlags extends KeyFlags {
  readonly gateway: string;
  readonly mspRoots: string;
  readonly hours: number;
  readonly store: StoreKind;
}

/** As a laptop's package pins them. */
const ROOTS = '/etc/kiwistack/msp-roots.pem';
const MAX_ROOTS = 64 * 1024;

/** `sign-in` and `sign-out`: an operator on another machine than the slice's. */
export function addSignInCommands(program: Command): void {
  program
    .command('sign-in')
    .description('Sign in to a slice over the network, with your YubiKey: PIN and touch')
    .requiredOption('--gateway <url>', 'the address of the slice inside the tunnel: https://10.77.0.1:9444')
    .option('--msp-roots <file>', "your provider's roots, PEM: the slice has to be under one of them", ROOTS)
    .option('--hours <number>', 'how long the sign-in lasts', numberUpTo(MAX_SESSION_HOURS), MAX_SESSION_HOURS)
    .addOption(
      new Option('--store <place>', 'where it is kept: the keychain of this machine, or a file that only you can read')
        .choices(['keychain', 'file'])
        .default('keychain'),
    )
    .option('--pin-fd <descriptor>', 'read the PIN from this open descriptor instead of the terminal', wholeNumber)
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: SignInFlags) => carryOut(flags.json === true, () => signInCommand(flags)));
  program
    .command('sign-out')
    .description('End your session at a slice, and forget it here')
    .option('--gateway <url>', 'of several slices; default: the one of your last sign-in')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: { gateway?: string; json?: boolean }) => carryOut(flags.json === true, () => signOut(flags)));
}

async function signInCommand(flags: SignInFlags): Promise<number> {
  if (flags.pinFd !== undefined) checkDescriptor('--pin-fd', flags.pinFd);
  const gateway = originOf(flags.gateway);
  const roots = (await readGivenFile(flags.mspRoots, { option: '--msp-roots', maxBytes: MAX_ROOTS })).toString('utf8');
  const store = new SignInStore();
  await store.prepare(gateway, flags.store);
  const session = await withOperatorKey(flags, cancelOnSignals(), (key) =>
    signIn({
      ...{ gateway, roots, hours: flags.hours, key },
      proven: ({ name }) => {
        if (flags.json !== true) process.stderr.write(`Verified: the slice of ${name}.\n`);
      },
    }),
  );
  await store.keep(session, flags.store);
  const { operator, role, customer, expiresAt } = session;
  printAnswer(flags, 'signed-in', { operator, role, customer, expiresAt, gateway, store: flags.store }, [
    `Signed in to ${customer.name} as ${operator} (${role}), until ${expiresAt}.`,
  ]);
  return 0;
}

async function signOut(flags: { readonly gateway?: string; readonly json?: boolean }): Promise<number> {
  const store = new SignInStore();
  const session = await store.find(originOf(flags.gateway));
  let ended = true;
  try {
    const remote = remoteSlice(session, systemClock);
    await remote.signOut().finally(() => remote.close());
  } catch (error) {
    if (!(error instanceof KiwiError)) throw error;
    // It is forgotten here in any case; at the slice it ends by itself.
    ended = error.code === 'sign-in-needed';
  }
  await store.forget(session);
  const note = ended ? '' : ` The slice did not answer: the session ends there at ${session.expiresAt}.`;
  printAnswer(flags, 'signed-out', { gateway: session.gateway, ended }, [
    `Signed out of ${session.customer.name}.${note}`,
  ]);
  return 0;
}
