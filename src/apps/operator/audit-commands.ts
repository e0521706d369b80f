import type { Command } from 'commander';
import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { writeNewFile } from '../../core/write-new-file.ts';
import { exportTrail, MAX_AUDIT_EXPORT } from '../../slice/operator/open-slice.ts';
import { carryOut, positiveNumber } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { listing, onList, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { sinceOption } from './since-option.ts';
import { Id, Note, type Row } from './table.ts';
import { verifyTrail, type VerifiedTrail } from './verify-trail.ts';

/** `audit`: the decisions of the slice. */
export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('Show and verify the decisions of the slice');
  onList(audit.command('list'))
    .description('List the decisions, newest first')
    .option('--limit <number>', 'how many to list', positiveNumber, 50)
    .addOption(sinceOption())
    .action((flags: Flags & { limit: number; since?: Date }) =>
      listing(
        flags,
        async (slice) =>
          (
            await slice.ask('audit.list', {
              limit: flags.limit,
              ...(flags.since === undefined ? {} : { since: flags.since.getTime() }),
            })
          ).map((entry) => ({
            at: time(entry.at),
            action: entry.action,
            decision: entry.decision,
            code: entry.code ?? '',
            actor: entry.actor,
            yubikey: entry.yubikeySerial ?? '',
            device: entry.deviceId === undefined ? '' : new Id(entry.deviceId),
            why: entry.why ?? '',
            request: new Id(entry.requestId),
          })),
        // A refusal is told by its code, and the reason below its row.
        ({ decision = '', code = '', why = '', request, ...row }) => ({
          at: row['at'] ?? '',
          outcome: code === '' ? decision : code,
          ...row,
          note: new Note(`${textOf(why)}${why === '' ? '' : ' · '}request ${textOf(request)}`),
        }),
      ),
    );
  onSlice(audit.command('verify'))
    .description('Check that no record was changed, removed or moved since it was written; exit code 4 when one was')
    .option('--export <file>', 'an earlier export: it must be whole, and the records must go on from it')
    .action((flags: Flags & { export?: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const exported =
            flags.export === undefined
              ? undefined
              : await readGivenFile(flags.export, { option: '--export', maxBytes: MAX_AUDIT_EXPORT });
          const report = await verifyTrail(slice, exported);
          printAnswer(flags, report.fault === undefined ? 'whole' : 'changed', report, linesOf(report));
          return report.fault === undefined ? EXIT.done : EXIT.refused;
        }),
      ),
    );
  onSlice(audit.command('export'))
    .description('Write all records into a file, sealed by the gateway: a line of JSON each, oldest first')
    .option('--output <file>', 'the file; it must not be there yet (default: audit-SLUG-TIME.jsonl)')
    .action((flags: Flags & { output?: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const name = `audit-${(await slice.ask('slice.about')).customer.slug}-${time(Date.now()).toISOString().replaceAll(/[:.]/gu, '')}.jsonl`;
          const file = path.resolve(flags.output ?? name);
          const page = (after: number, until?: number) =>
            slice.ask('audit.export', { after, ...(until === undefined ? {} : { until }) });
          await writeNewFile(file, exportTrail(page));
          printAnswer(flags, 'exported', { file }, [`Written to ${file}. Keep it where this slice cannot write.`]);
          return EXIT.done;
        }),
      ),
    );
  onSlice(audit.command('accept'))
    .description('Seal the records as they are, after you have found out why `verify` fails; the audit says so')
    .requiredOption('--why <text>', 'what was found, for the audit')
    .action((flags: Flags & { why: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          await slice.ask('audit.accept', { why: flags.why });
          printAnswer(flags, 'accepted', {}, ['The records are sealed as they are now.']);
          return EXIT.done;
        }),
      ),
    );
}

const textOf = (cell: Row[string] | undefined): string =>
  typeof cell === 'string' ? cell : cell instanceof Id ? cell.toString() : '';

function linesOf({ records, sealed, sealedAt, accepted, fault, acceptedFault, exported }: VerifiedTrail): string[] {
  const newer = records - sealed;
  return [
    fault === undefined ? `All ${records} records are as they were written.` : `The audit was changed: ${fault.what}.`,
    sealedAt === undefined
      ? '  No checkpoint yet: the gateway makes one within seconds while the slice is up.'
      : `  ${sealed} of them are sealed by the gateway, the last time at ${sealedAt}.`,
    ...(newer > 0 && sealedAt !== undefined ? [`  ${newer} came later.`] : []),
    ...(exported === undefined ? [] : [`  The export has the first ${exported} of them.`]),
    ...(acceptedFault === undefined
      ? []
      : [`  An operator has accepted the first ${accepted} as they are, though ${acceptedFault.what}.`]),
    ...(fault === undefined
      ? []
      : ['See "The audit was changed" in docs/operators.md. Stop the slice first if you do not know who did it.']),
  ];
}
