import path from 'node:path';

import type { Command } from 'commander';

import { EXIT } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import { readRecipient } from '../../pki/recipient-files.ts';
import { handOver } from '../../slice/backup/hand-over.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';
import { stoppedSlice } from './stopped-slice.ts';

interface ExportFlags extends SliceFlags {
  readonly recipient: readonly string[];
  readonly output: string;
  readonly customer: string;
}

/** `customer export`: the customer leaves, and takes its slice along. */
export function addCustomerCommands(program: Command, context: CommandContext): void {
  program
    .command('customer')
    .description('Hand the customer over')
    .command('export')
    .description(
      'Write the stopped slice, with its intermediate, into one file for a recipient, and then never start it here again; cannot be undone',
    )
    .requiredOption('--dir <folder>', 'folder of the slice')
    .requiredOption('--customer <slug>', "the customer's slug, so that nobody hands over another one")
    .requiredOption('--recipient <file...>', 'public keys of those who take it over: P-256, PEM')
    .requiredOption('--output <file>', 'the file; it must not be there yet')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: ExportFlags) => carryOut(flags.json === true, () => exportCommand(flags, context)));
}

async function exportCommand(flags: ExportFlags, { clock }: CommandContext): Promise<number> {
  const signal = cancelOnSignals();
  const dir = await stoppedSlice(flags);
  const { customer } = await readSliceConfig(dir);
  if (flags.customer !== customer.slug) {
    throw new KiwiError('usage', { detail: `--customer: this is the slice of ${customer.slug}` });
  }
  const recipients = await Promise.all(flags.recipient.map(readRecipient));
  const output = path.resolve(flags.output);
  const { at, files, bytes } = await handOver({ dir, output, recipients, clock, signal });
  printAnswer(flags, 'handed-over', { file: output, at, files: files.length, bytes }, [
    `Handed over ${customer.name} in ${output}: ${files.length} files, ${bytes} bytes. Only the recipient's key opens it.`,
    'The keys that certify in its name were removed here, and this slice does not start any more.',
    `The recipient makes the slice of it: \`kiwistack-slice restore FILE --key KEY --dir DIR\`. Destroy your backups of it.`,
  ]);
  return EXIT.done;
}
