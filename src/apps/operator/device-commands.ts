import { Option, type Command } from 'commander';

import type { ConsentRecord, DeviceRecord } from '../../protocol/operator-records.ts';
import type { Arguments, OperatorSlice } from '../../protocol/operator-verbs.ts';
import { carryOut, numberUpTo, wholeNumber } from '../../terminal/carry-out.ts';
import { printAnswer, printJson } from '../../terminal/report.ts';
import { allLaptops } from './all-laptops.ts';
import { askConfirmation } from './ask-confirmation.ts';
import { fileConsent } from './file-consent.ts';
import { addLossCommands } from './loss-commands.ts';
import { listing, onList, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { renderReport } from './render-report.ts';
import { sinceOption } from './since-option.ts';
import { Id, type Cell, type Row } from './table.ts';

/** Why an operator ends a device; see docs/operators.md. */
type OperatorEndReason = Arguments<'device.end'>['why'];
type EndFlags = Flags & { readonly why: OperatorEndReason; readonly yes?: boolean };

const STATES = ['reserved', 'pending', 'active', 'ended', 'lost'] as const;
type ListFlags = Flags & {
  readonly state?: (typeof STATES)[number];
  readonly role?: string;
  readonly yubikey?: number;
  readonly since?: Date;
  readonly csv?: boolean;
};

/** A year; a consent is meant for the next day. */
const MAX_HOURS = 8760;

const LAPTOP = {
  lost: 'The laptop keeps its Fleet agent and a tunnel that reaches Fleet and nothing else, so that Fleet can lock or wipe it. When that is done, end it for good: --why offboarded.',
  offboarded: 'The laptop removes certificate, tunnel and Fleet agent at its next hourly check.',
  churn: 'Each laptop removes certificate, tunnel and Fleet agent at its next hourly check.',
} as const satisfies Record<OperatorEndReason, string>;

const NEXT_GOES_ON =
  'The laptop that renews first now goes on. If the other one still renews too, both are stopped again.';

/** `device` and `customer`: one laptop, or all of them. */
export function addDeviceCommands(program: Command): void {
  const device = program.command('device').description('List, end and re-enroll laptops');
  onList(device.command('list'))
    .description('List all laptops, including those that have ended; options narrow it down')
    .addOption(new Option('--state <state>', 'only in this state; `lost`: ended so').choices([...STATES]))
    .option('--role <role>', 'only with this role')
    .option('--yubikey <serial>', 'only those that this YubiKey has enrolled', wholeNumber)
    .addOption(sinceOption())
    .action((flags: ListFlags) =>
      listing(
        flags,
        async (slice) => {
          const [devices, alarms] = await Promise.all([slice.ask('device.list'), slice.ask('alarm.list')]);
          const alarmed = new Set(alarms.map(({ deviceId }) => deviceId));
          return devices.filter(fits(flags)).map((entry) => deviceRow(entry, alarmed.has(entry.id)));
        },
        deviceForPeople,
      ),
    );
  onSlice(device.command('show <device>'))
    .description(
      'Show all that is known about a laptop, by ID or name: state, certificates, tunnel, and how far a loss is dealt with',
    )
    .action((name: string, flags: Flags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const report = await slice.ask('device.report', { device: name });
          if (flags.json === true) printJson({ type: 'result', result: 'device', ...report });
          else process.stdout.write(renderReport(report));
          return 0;
        }),
      ),
    );
  onSlice(device.command('rename <device> [name]'))
    .description('Call a laptop something else in lists and commands; without a name, what it calls itself')
    .addHelpText('after', '\nIts host name and its certificates stay as they are.')
    .action((given: string, label: string | undefined, flags: Flags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { id, hostName } = await slice.ask('device.rename', { device: given, label: label ?? null });
          const called = label ?? hostName;
          printAnswer(flags, 'renamed', { device: { id, name: hostName, label: label ?? null } }, [
            `${hostName} is called ${called}.`,
          ]);
          return 0;
        }),
      ),
    );
  addLossCommands(device);
  onSlice(device.command('end <device>'))
    .description('End a laptop, by ID or name: revoke its certificate, remove its tunnel peer and free its name')
    .addOption(
      new Option(
        '--why <reason>',
        'lost: the laptop reaches nothing but Fleet, to be locked or wiped; offboarded, churn: it uninstalls, also after it was lost',
      )
        .choices(['lost', 'offboarded', 'churn'])
        .makeOptionMandatory(),
    )
    .option('--yes', 'do not ask for confirmation')
    .action((name: string, flags: EndFlags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const found = await slice.ask('device.find', { device: name });
          const what = `${found.hostName} (${found.id}, ${found.state}) will end for good. ${LAPTOP[flags.why]}`;
          await askConfirmation(what, found.hostName, flags);
          return end(slice, [found], flags);
        }),
      ),
    );
  onSlice(device.command('release <device>'))
    .description('Let a laptop, by ID or name, renew its certificate again after a copy of it was found')
    .requiredOption('--why <text>', 'what became of the copy, for the audit')
    .action((name: string, flags: Flags & { why: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { device: found, released } = await slice.ask('device.release', {
            device: name,
            why: flags.why,
          });
          const { id, hostName } = found;
          const result = released ? 'released' : 'unchanged';
          if (flags.json === true) printJson({ type: 'result', result, device: { id, name: hostName } });
          else
            process.stdout.write(
              released ? `Released: ${hostName}. ${NEXT_GOES_ON}\n` : `${hostName} was not stopped; nothing to do.\n`,
            );
          return 0;
        }),
      ),
    );
  onSlice(device.command('consent <device>'))
    .description('Allow a registered laptop, by ID or name, to enroll once more; signed, for one use')
    .option('--hours <number>', 'how long the consent is valid', numberUpTo(MAX_HOURS), 24)
    .option('--why <text>', 'reason, for the audit', 're-enrollment')
    .option('--new-mainboard', 'allow it although the hardware looks like a copy, because the mainboard was replaced')
    .action((name: string, flags: Flags & { hours: number; why: string; newMainboard?: boolean }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { hours, why } = flags;
          const wish = { device: name, hours, why, newMainboard: flags.newMainboard === true };
          // In the slice's folder is a key for it; elsewhere it is the operator's own.
          const consent =
            flags.dir === undefined ? await fileConsent(slice, wish, flags) : await slice.ask('consent.give', wish);
          if (flags.json === true) printJson({ type: 'result', result: 'consented', ...consent });
          else {
            process.stdout.write(
              `${name} may enroll once more until ${consent.expiresAt} (consent ${consent.consentId}).\n`,
            );
          }
          return 0;
        }),
      ),
    );
  onList(device.command('consents'))
    .description('List the consents, newest first')
    .action((flags: Flags) => listing(flags, async (slice) => (await slice.ask('consent.list')).map(consentRow)));
  onSlice(device.command('withdraw <consent>'))
    .description('Withdraw a consent that has not been used yet')
    .action((given: string, flags: Flags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { consentId } = await slice.ask('consent.withdraw', { consent: given });
          if (flags.json === true) printJson({ type: 'result', result: 'withdrawn', consentId });
          else process.stdout.write(`Consent ${consentId} was withdrawn.\n`);
          return 0;
        }),
      ),
    );

  const customer = program.command('customer').description('Act on the customer as a whole');
  onSlice(customer.command('offboard'))
    .description('End all laptops because the customer leaves; each one removes its enrollment')
    .option('--yes', 'do not ask for confirmation')
    .action((flags: Omit<EndFlags, 'why'>) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const { name, slug } = (await slice.ask('slice.about')).customer;
          const live = (await slice.ask('device.list')).filter(
            ({ state, endReason }) => state !== 'ended' || endReason === 'lost',
          );
          if (live.length > 0) {
            await askConfirmation(`${allLaptops(live.length, name)} will end for good. ${LAPTOP.churn}`, slug, flags);
          }
          return end(slice, live, { ...flags, why: 'churn' });
        }),
      ),
    );
}

/** `--since` counts what has happened last: its enrollment, or its end. */
const fits =
  ({ state, role, yubikey, since }: ListFlags) =>
  (device: DeviceRecord): boolean =>
    (state === undefined || state === device.state || (state === 'lost' && device.endReason === 'lost')) &&
    (role === undefined || role === device.role) &&
    (yubikey === undefined || yubikey === device.yubikeySerial) &&
    (since === undefined || (device.endedAt ?? device.createdAt) >= since.getTime());

async function end(slice: OperatorSlice, devices: readonly DeviceRecord[], flags: EndFlags): Promise<number> {
  const { revoked } = await slice.ask('device.end', { devices: devices.map(({ id }) => id), why: flags.why });
  if (flags.json === true) {
    const ended = devices.map(({ id, hostName }) => ({ id, name: hostName }));
    printJson({ type: 'result', result: 'ended', why: flags.why, devices: ended, revoked });
    return 0;
  }
  if (devices.length === 0) {
    process.stdout.write('No laptop is enrolled; nothing to do.\n');
    return 0;
  }
  process.stdout.write(`Ended: ${devices.map(({ hostName }) => hostName).join(', ')}. ${LAPTOP[flags.why]}\n`);
  if (!revoked) process.stdout.write('Certificates and tunnel peers are revoked as soon as the slice runs again.\n');
  return 0;
}

const deviceRow = (entry: DeviceRecord, alarm: boolean): Row => ({
  name: entry.hostName,
  ...(entry.label === null ? {} : { label: entry.label }),
  state: entry.state,
  address: entry.address,
  role: entry.role,
  yubikey: entry.yubikeySerial ?? 'claimed',
  // `unproven`: in a file, for all that the slice knows.
  key: entry.keyKind,
  created: time(entry.createdAt),
  ...(entry.endedAt === null ? {} : { ended: time(entry.endedAt), why: entry.endReason ?? '' }),
  // When the laptop of an ended device learned that it has ended.
  ...(entry.toldAt === null ? {} : { told: time(entry.toldAt) }),
  ...(alarm ? { alarm: 'see `alarm list`' } : {}),
  id: new Id(entry.id),
});

/** The same in fewer columns: how it stands, and since when. */
function deviceForPeople({
  name = '',
  state = '',
  address = '',
  role = '',
  yubikey = '',
  key = '',
  id = '',
  ...row
}: Row): Row {
  const { label, why, told, alarm, ended, created } = row;
  const text = (cell: Cell): string => (typeof cell === 'string' ? cell : '');
  const ending = why === undefined ? [] : [text(why), ...(told === undefined ? [] : ['told'])];
  const stands = [text(state), ...ending, ...(alarm === undefined ? [] : ['alarm'])].join(', ');
  const called = label === undefined ? name : `${text(label)} (${text(name)})`;
  return { name: called, state: stands, since: ended ?? created ?? '', address, role, yubikey, key, id };
}

const consentRow = (entry: ConsentRecord): Row => ({
  device: entry.hostName,
  state: entry.state,
  created: time(entry.createdAt),
  expires: time(entry.expiresAt),
  operator: entry.operator,
  why: entry.why,
  mainboard: entry.newMainboard ? 'may be new' : 'the same',
  id: new Id(entry.id),
});
