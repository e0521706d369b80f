import { Option, type Command } from 'commander';

import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import type { OperatorRecord, OperatorRole, TwoPersonSetting } from '../../protocol/operator-records.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, numberUpTo, wholeNumber } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { addOperator, type AddFlags } from './add-operator.ts';
import { askConfirmation } from './ask-confirmation.ts';
import { listing, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { keyOptions } from './provision-command.ts';
import { addReissueCommand } from './reissue-command.ts';

const TWO_PERSONS = ['two-admins', 'always', 'never'] as const satisfies readonly TwoPersonSetting['when'][];
const ROLES = ['read', 'helpdesk', 'admin'] as const satisfies readonly OperatorRole[];

const certificateIn = (der: string): Certificate => parseCertificate(Buffer.from(der, 'base64url'));

/** `operator`: who may operate the slice, with a YubiKey of their own. */
export function addOperatorCommands(program: Command): void {
  const operator = program.command('operator').description('Add, list and remove the operators of a slice');
  keyOptions(onSlice(operator.command('add <name>')))
    .description("Make the plugged-in YubiKey an operator's: generate its key, have step-ca issue its certificate")
    .addOption(
      new Option('--role <role>', 'read: look; helpdesk: consents, bundles and alarms as well; admin: everything')
        .choices(ROLES)
        .makeOptionMandatory(),
    )
    .option('--serial <number>', 'serial number of the YubiKey, if several are plugged in', wholeNumber)
    .option(
      '--approval-pin-fd <descriptor>',
      'with --ask-approval: read the PIN of your own YubiKey from this open descriptor',
      wholeNumber,
    )
    .action((name: string, flags: AddFlags) =>
      carryOut(flags.json === true, () => addOperator(name, flags, cancelOnSignals())),
    );
  addReissueCommand(operator, 'operator');
  onSlice(operator.command('list'))
    .description('List the operators, also those who were removed')
    .action((flags: Flags) =>
      listing(flags, async (slice) => {
        const intermediate = certificateIn((await slice.ask('slice.about')).intermediate);
        const isPresent = ({ certificate }: OperatorRecord): boolean =>
          certificateIn(certificate).isSignedBy(intermediate);
        return (await slice.ask('operator.list')).map((one) => ({
          ...{ name: one.name, role: one.role, yubikey: one.yubikeySerial, added: time(one.addedAt), by: one.addedBy },
          state: one.removedAt !== null ? 'removed' : isPresent(one) ? 'active' : 'reissue',
          ...(one.removedAt === null ? {} : { removed: time(one.removedAt), why: one.removedWhy ?? '' }),
        }));
      }),
    );
  onSlice(operator.command('remove <name>'))
    .description('Remove an operator: sessions end at once, the certificate is revoked')
    .option('--why <text>', 'reason, for the audit', 'removed')
    .option('--yes', 'do not ask for confirmation')
    .action((name: string, flags: Flags & { why: string; yes?: boolean }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const what = `${name} will operate this slice no more: the certificate is revoked, and open statements of theirs count for nothing.`;
          await askConfirmation(what, name, flags);
          const { revoked } = await slice.ask('operator.remove', { name, why: flags.why });
          printAnswer(flags, 'removed', { name, revoked }, [
            `Removed: ${name}.`,
            ...(revoked ? [] : ['The certificate is revoked as soon as step-ca runs again.']),
          ]);
          return 0;
        }),
      ),
    );
  onSlice(operator.command('two-persons'))
    .description('Say when what is critical needs the signatures of two operators; without an option, show it')
    .addOption(new Option('--when <when>', 'two-admins: as soon as two operators are admins').choices(TWO_PERSONS))
    .option('--many-devices <number>', 'ending more laptops than this in a day is critical', numberUpTo(100_000))
    .action((flags: Flags & Partial<TwoPersonSetting>) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { twoPersonSetting: now } = await slice.ask('slice.about');
          const { when = now.when, manyDevices = now.manyDevices } = flags;
          const asked = flags.when !== undefined || flags.manyDevices !== undefined;
          if (asked) await slice.ask('slice.protect', { when, manyDevices });
          printAnswer(flags, asked ? 'set' : 'two-persons', { when, manyDevices }, [
            `Two operators are needed: ${when}. Ending more than ${manyDevices} laptops in a day is critical.`,
          ]);
          return 0;
        }),
      ),
    );
}
