import path from 'node:path';

import type { Command } from 'commander';

import { EXIT } from '../../core/error-codes.ts';
import { readRecipient, readRecipientKey } from '../../pki/recipient-files.ts';
import { readBackup } from '../../slice/backup/read-backup.ts';
import { restoreBackup } from '../../slice/backup/restore-backup.ts';
import { writeBackup } from '../../slice/backup/write-backup.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

interface BackupFlags extends SliceFlags {
  readonly recipient: readonly string[];
  readonly output?: string;
}

type KeyFlags = Omit<SliceFlags, 'dir'> & { readonly key: string };

const JSON_OPTION = ['--json', 'print one line of JSON; fields are added, never removed'] as const;
const KEY_OPTION = ['--key <file>', 'private key that the backup is encrypted to: P-256, PEM'] as const;

/** `backup`, `verify` and `restore`: a slice as one encrypted file. */
export function addBackupCommands(program: Command, context: CommandContext): void {
  program
    .command('backup')
    .description(
      'Write the slice into one encrypted file, while it runs or not; only a private key elsewhere opens it again',
    )
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption('--recipient <file...>', 'public keys of those who may restore it: P-256, PEM')
    .option('--output <file>', 'the file; it must not be there yet (default: SLUG-TIME.kiwibackup)')
    .option(...JSON_OPTION)
    .action((flags: BackupFlags) => carryOut(flags.json === true, () => backupCommand(flags, context)));
  program
    .command('verify <file>')
    .description('Say whether a backup is whole, without restoring it; exit code 4 when it is damaged')
    .requiredOption(...KEY_OPTION)
    .option(...JSON_OPTION)
    .action((file: string, flags: KeyFlags) => carryOut(flags.json === true, () => verifyCommand(file, flags)));
  program
    .command('restore <file>')
    .description('Make the slice of a backup, in a folder that is empty or not there yet')
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption(...KEY_OPTION)
    .option(...JSON_OPTION)
    .action((file: string, flags: KeyFlags & SliceFlags) =>
      carryOut(flags.json === true, () => restoreCommand(file, flags, context)),
    );
}

async function backupCommand(flags: BackupFlags, { clock }: CommandContext): Promise<number> {
  const signal = cancelOnSignals();
  const dir = path.resolve(flags.dir);
  const { customer } = await readSliceConfig(dir);
  const recipients = await Promise.all(flags.recipient.map(readRecipient));
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:.]/gu, '');
  const output = path.resolve(flags.output ?? `${customer.slug}-${stamp}.kiwibackup`);
  const { at, files, bytes } = await writeBackup({ dir, output, recipients, clock, signal });
  printAnswer(flags, 'written', { file: output, at, files: files.length, bytes }, [
    `Wrote ${files.length} files to ${output} (${bytes} bytes). Copy it to another place.`,
    "The provider's root key is not in it, nor are the packages of Fleet's agent.",
  ]);
  return EXIT.done;
}

async function verifyCommand(file: string, flags: KeyFlags): Promise<number> {
  const { customer, at, version, files } = await readBackup(file, await readRecipientKey(flags.key));
  printAnswer(flags, 'whole', { customer, at, version, files: files.length }, [
    `Whole: the slice of ${customer.name} (${customer.slug}) at ${at}, ${files.length} files, written by version ${version}.`,
  ]);
  return EXIT.done;
}

async function restoreCommand(file: string, flags: KeyFlags & SliceFlags, { clock }: CommandContext): Promise<number> {
  const signal = cancelOnSignals();
  const dir = path.resolve(flags.dir);
  const { customer, at, missing } = await restoreBackup({
    file,
    key: await readRecipientKey(flags.key),
    dir,
    clock,
    signal,
  });
  printAnswer(flags, 'restored', { dir, customer, at, missing }, [
    `Restored the slice of ${customer.name} as it was at ${at}, in ${dir}.`,
    'It does not know what came later: burn again what was burned since, and end again what was ended (docs/operators.md).',
    'Run it in one place only: two slices with these keys would take laptops from each other.',
    ...missing.map((needed) => `Not here: ${needed}. Copy it there, or run \`kiwistack-slice fleet\` again.`),
    `Next: \`sudo kiwistack-slice up --dir ${flags.dir}\``,
  ]);
  return EXIT.done;
}
