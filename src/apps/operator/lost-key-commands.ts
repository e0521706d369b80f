import type { Command } from 'commander';

import { KiwiError } from '../../core/errors.ts';
import type { KeyReport } from '../../protocol/device-report.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, wholeNumber } from '../../terminal/carry-out.ts';
import { printJson } from '../../terminal/report.ts';
import { printable } from '../../core/log.ts';
import { askConfirmation } from './ask-confirmation.ts';
import { onSlice, withSlice, type Flags } from './on-slice.ts';
import { keyOptions, provisionCommand, type ProvisionFlags } from './provision-command.ts';
import { renderKeyReport, renderLine } from './render-report.ts';
import type { Line } from './stand-of-loss.ts';
import { localTime } from './table.ts';

type BurnFlags = Flags & { readonly serial: number; readonly why: string; readonly yes?: boolean };

/** `yubikey show`, `burn` and `replace`: a key that is lost, and the one that takes its place. */
export function addLostKeyCommands(yubikey: Command): void {
  onSlice(yubikey.command('show'))
    .description('Show all that is known about a YubiKey: its certificates, and the laptops that it has enrolled')
    .requiredOption('--serial <number>', 'serial number, printed on the YubiKey', wholeNumber)
    .action((flags: Flags & { serial: number }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const report = await slice.ask('yubikey.report', { serial: flags.serial });
          if (flags.json === true) printJson({ type: 'result', result: 'yubikey', ...report });
          else process.stdout.write(renderKeyReport(report));
          return 0;
        }),
      ),
    );
  const burning = (command: Command): Command =>
    onSlice(command)
      .requiredOption('--serial <number>', 'serial number of the lost YubiKey', wholeNumber)
      .option('--why <text>', 'reason, for the audit', 'reported lost')
      .option('--yes', 'do not ask for confirmation');
  burning(yubikey.command('burn'))
    .description('Block a lost or stolen YubiKey: it can never enroll a laptop again, and what it was enrolling ends')
    .action((flags: BurnFlags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { report, revoked, before } = await burn(slice, flags);
          if (flags.json === true) {
            printJson({ type: 'result', result: 'burned', serial: flags.serial, revoked, before, ...report });
          }
          return 0;
        }),
      ),
    );
  keyOptions(burning(yubikey.command('replace')))
    .description('Burn a lost YubiKey, and provision the one that is plugged in for the same role')
    .option('--new-serial <number>', 'serial number of the new YubiKey, if several are plugged in', wholeNumber)
    .action((flags: BurnFlags & Omit<ProvisionFlags, 'role'> & { newSerial?: number }) =>
      carryOut(flags.json === true, () => replace(flags, cancelOnSignals())),
    );
}

/** What is urgent comes first: the old key is burned also when there is no new one yet. */
async function replace(
  { newSerial, ...flags }: BurnFlags & Omit<ProvisionFlags, 'role'> & { newSerial?: number },
  signal: AbortSignal,
): Promise<number> {
  const { serial: old, ...others } = flags;
  if (newSerial === old) throw new KiwiError('usage', { detail: 'the new YubiKey is the lost one' });
  const { role } = await withSlice(flags, async (slice) => {
    const { yubikey } = await reportOf(slice, old);
    // Burned before, perhaps by somebody else: only the new one is missing.
    if (yubikey.burnedAt === null) await burn(slice, flags);
    return yubikey;
  });
  const again = `YubiKey ${old} is burned. Plug in the new one and run \`kiwistack-operator yubikey provision --role ${role}\`.`;
  try {
    const chosen = newSerial === undefined ? {} : { serial: newSerial };
    return await provisionCommand({ ...others, ...chosen, role, notSerial: old }, signal);
  } catch (error) {
    if (!(error instanceof KiwiError)) throw error;
    const { code, detail, operatorHint } = error;
    const what = `${old} is burned, and there is no new one yet${detail === undefined ? '' : `: ${detail}`}`;
    const hint = code === 'key-absent' ? again : `${operatorHint} ${again}`;
    throw new KiwiError(code, { detail: what, hint, cause: error });
  }
}

/** Says what it has ended. */
async function burn(
  slice: OperatorSlice,
  flags: BurnFlags,
): Promise<{ report: KeyReport; revoked: boolean; before: boolean }> {
  const { serial, why } = flags;
  const before = await reportOf(slice, serial);
  const unfinished = before.devices.filter(({ state }) => state === 'reserved' || state === 'pending');
  const active = before.devices.filter(({ state }) => state === 'active');
  const { burnedAt, burnedWhy } = before.yubikey;
  const confirmation =
    `The key and certificate of YubiKey ${serial} (${before.yubikey.role}) will be blocked for good: it enrolls no more laptops. ` +
    `Laptops that it is enrolling end (${unfinished.length}); laptops that it has enrolled stay (${active.length}).`;
  // It cannot be blocked twice; what waits for step-ca is tried again.
  if (burnedAt === null) await askConfirmation(confirmation, `${serial}`, flags);
  const { revoked } = await slice.ask('yubikey.burn', { serial, why });
  const report = await slice.ask('yubikey.report', { serial });
  if (flags.json !== true) {
    const first =
      burnedAt === null
        ? `YubiKey ${serial} is burned: it can no longer enroll laptops.`
        : `YubiKey ${serial} was burned before, at ${localTime(new Date(burnedAt))} (${burnedWhy ?? ''}), and stays so.`;
    process.stdout.write(`${printable(first)}\n`);
    process.stdout.write(linesOf(report, revoked, names(unfinished), names(active)).map(renderLine).join(''));
  }
  return { report, revoked, before: burnedAt !== null };
}

const names = (devices: KeyReport['devices']): string[] => devices.map(({ hostName }) => hostName);

function linesOf(report: KeyReport, revoked: boolean, ended: readonly string[], kept: readonly string[]): Line[] {
  const count = report.certificates.filter(({ revokeWhy }) => revokeWhy !== null).length;
  return [
    revoked
      ? { mark: '✓', what: 'certificate', text: count === 1 ? 'revoked' : `${count} revoked` }
      : { mark: '…', what: 'certificate', text: 'is revoked as soon as step-ca runs again' },
    { mark: '✓', what: 'in progress', text: ended.length === 0 ? 'no enrollment was' : `ended: ${ended.join(', ')}` },
    {
      mark: '✓',
      what: 'laptops',
      text:
        kept.length === 0
          ? 'it has enrolled none that is in use'
          : `stay enrolled, and renew as before: ${kept.join(', ')}. End what you do not know: \`device lost\`.`,
    },
  ];
}

/** @throws KiwiError `yubikey-unregistered` */
const reportOf = (slice: OperatorSlice, serial: number): Promise<KeyReport> => slice.ask('yubikey.report', { serial });
