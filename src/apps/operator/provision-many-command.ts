import path from 'node:path';

import type { Command } from 'commander';

import { systemClock } from '../../core/clock.ts';
import { EXIT } from '../../core/error-codes.ts';
import { never } from '../../core/errors.ts';
import { writeNewFile } from '../../core/write-new-file.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { hintOf } from '../../terminal/reader.ts';
import { errorFields, printAnswer, printJson } from '../../terminal/report.ts';
import { openToken } from '../../token/token.ts';
import { onSlice, withSlice, type Flags } from './on-slice.ts';
import { provisionMany, type ManyEvent, type ManyOutcome } from './provision-many.ts';
import { readRecipient, readRecipientKey } from '../../pki/recipient-files.ts';
import { openHandover } from './provisioning/handover.ts';
import { readKeyList } from './provisioning/key-list.ts';

type ManyFlags = Flags & {
  readonly list: string;
  readonly recipient: string;
  readonly handover: string;
  readonly letters?: string;
  readonly reset?: boolean;
  readonly fips?: boolean;
};
interface UnsealFlags {
  readonly key: string;
  readonly output: string;
  readonly json?: boolean;
}

/** `yubikey provision-list` and `yubikey unseal`: many keys, and what was made for each. */
export function addProvisionManyCommands(yubikey: Command): void {
  onSlice(yubikey.command('provision-list'))
    .description(
      'Prepare the YubiKeys of a list as they are plugged in, each with a random PIN, PUK and management key; to go on with it, run it again',
    )
    .requiredOption('--list <file>', 'CSV with the columns serial, role and name')
    .requiredOption(
      '--recipient <file>',
      'public key of whoever hands the keys out: P-256, PEM; PIN, PUK and management key are sealed for it',
    )
    .requiredOption('--handover <folder>', 'where to write what was sealed: SERIAL.sealed')
    .option(
      '--letters <folder>',
      'also write a letter for each person, with the PIN: SERIAL.txt, to be printed and deleted',
    )
    .option('--fips', 'only YubiKeys of the FIPS series')
    .option('--reset', 'erase YubiKeys that are no new ones (PIV: keys, certificates, PIN and PUK)')
    .action((flags: ManyFlags) => carryOut(flags.json === true, () => manyCommand(flags, cancelOnSignals())));
  yubikey
    .command('unseal <file>')
    .description('Open what provision-list has sealed, where the private key is; needs no slice')
    .requiredOption('--key <file>', 'the private key, P-256, PEM')
    .requiredOption('--output <file>', 'where to write PIN, PUK and management key (JSON); it must not be there yet')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((file: string, flags: UnsealFlags) => carryOut(flags.json === true, () => unsealCommand(file, flags)));
}

async function manyCommand(flags: ManyFlags, signal: AbortSignal): Promise<number> {
  const keys = await readKeyList(flags.list);
  const recipient = await readRecipient(flags.recipient);
  const json = flags.json === true;
  return withSlice(flags, async (slice) => {
    const token = await openToken({ signal });
    try {
      const outcome = await provisionMany({
        ...{ slice, token, keys, recipient, signal, clock: systemClock },
        handover: path.resolve(flags.handover),
        ...(flags.letters === undefined ? {} : { letters: path.resolve(flags.letters) }),
        reset: flags.reset === true,
        fips: flags.fips === true,
        tell: (event) => {
          if (json) printJson('error' in event ? { ...event, error: errorFields(event.error) } : event);
          else process.stderr.write(`${lineOf(event)}\n`);
        },
      });
      return answer(flags, outcome);
    } finally {
      await token.close();
    }
  });
}

function answer(flags: ManyFlags, { done, skipped, failed }: ManyOutcome): number {
  printAnswer(flags, failed.length === 0 ? 'provisioned' : 'incomplete', { done, skipped, failed }, [
    `${done.length} YubiKeys are ready, ${skipped.length} were before, ${failed.length} are not.`,
    ...(done.length === 0
      ? []
      : [`PIN, PUK and management key of each are sealed in ${path.resolve(flags.handover)}.`]),
    ...(done.length > 0 && flags.letters !== undefined
      ? ['The letters hold PINs: print them, and delete the files.']
      : []),
  ]);
  return failed.length === 0 ? EXIT.done : EXIT.person;
}

function lineOf(event: ManyEvent): string {
  switch (event.type) {
    case 'waiting':
      return `Plug in the next YubiKey. ${event.left.length} to go: ${event.left.slice(0, 8).join(', ')}${event.left.length > 8 ? ', …' : ''}`;
    case 'begun':
      return `YubiKey ${event.serial} for ${event.name} (${event.text})`;
    case 'skipped':
    case 'unlisted':
      return `YubiKey ${event.serial} ${event.text}.`;
    case 'progress':
      return `  ${event.text}`;
    case 'done':
      return `  Ready (firmware ${event.firmware}${event.fips ? ', FIPS' : ''}). Unplug it. ${event.left} to go.`;
    case 'failed': {
      const { message, detail, code } = event.error;
      return `  FAILED: ${message}${detail === undefined ? '' : ` (${detail})`} [${code}]\n  ${hintOf(event.error)}`;
    }
    default:
      return never(event);
  }
}

async function unsealCommand(file: string, flags: UnsealFlags): Promise<number> {
  const opened = await openHandover(file, await readRecipientKey(flags.key));
  const output = path.resolve(flags.output);
  await writeNewFile(output, `${JSON.stringify(opened, undefined, 2)}\n`);
  const { serial, name, role } = opened;
  printAnswer(flags, 'unsealed', { serial, name, role, file: output }, [
    `YubiKey ${serial} for ${name} (${role}): written to ${output}. Delete it when it is not needed any more.`,
  ]);
  return EXIT.done;
}
