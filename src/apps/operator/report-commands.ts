import { Option, type Command } from 'commander';
import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { writeNewFile } from '../../core/write-new-file.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer, printJson } from '../../terminal/report.ts';
import { onSlice, withSlice, type Flags } from './on-slice.ts';
import { buildReport } from './quarterly/build-report.ts';
import type { QuarterlyReport } from './quarterly/quarterly-report.ts';
import { parseQuarter, type Quarter } from './quarterly/quarter.ts';
import { renderHtml } from './quarterly/render-html.ts';
import { renderMarkdown } from './quarterly/render-markdown.ts';

/** The most that a slice lists at once. */
const MOST_RECORDS = 100_000;
const DAY = 86_400_000;

type Format = 'md' | 'html' | 'json';
type ReportFlags = Flags & { readonly quarter: Quarter; readonly format: Format; readonly output?: string };

const RENDER: Readonly<Record<Format, (report: QuarterlyReport) => string>> = {
  md: renderMarkdown,
  html: renderHtml,
  json: (report) => `${JSON.stringify(report, undefined, 2)}\n`,
};

/** `report`: what a customer is told. */
export function addReportCommands(program: Command): void {
  const report = program.command('report').description('Sum up what happened, for the customer');
  onSlice(report.command('quarterly'))
    .description('Laptops, keys, renewals, consents, alarms and scores of a quarter')
    .requiredOption('--quarter <quarter>', 'the quarter, such as 2026-Q4, in UTC', parseQuarter)
    .addOption(
      new Option('--format <format>', 'Markdown, one HTML page, or JSON').choices(['md', 'html', 'json']).default('md'),
    )
    .option('--output <file>', 'the file; it must not be there yet (default: stdout)')
    .action((flags: ReportFlags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const made = await reportOf(slice, flags.quarter, Date.now());
          if (flags.output !== undefined) {
            const file = path.resolve(flags.output);
            await writeNewFile(file, RENDER[flags.format](made));
            printAnswer(flags, 'written', { file, quarter: made.quarter, total: made.total }, [`Written to ${file}.`]);
          } else if (flags.json === true) printJson({ type: 'result', result: 'report', report: made });
          else process.stdout.write(RENDER[flags.format](made));
          return EXIT.done;
        }),
      ),
    );
}

async function reportOf(slice: OperatorSlice, quarter: Quarter, now: number): Promise<QuarterlyReport> {
  const [{ customer }, devices, yubikeys, consents, openAlarms, trail] = await Promise.all([
    slice.ask('slice.about'),
    slice.ask('device.list'),
    slice.ask('yubikey.list'),
    slice.ask('consent.list'),
    slice.ask('alarm.list'),
    slice.ask('audit.verify', {}),
  ]);
  // A day more: a certificate that was issued before the quarter may be valid at its end. Not the export, which a changed audit has none of.
  const newest = await slice.ask('audit.list', { limit: MOST_RECORDS, since: quarter.from - DAY });
  const audit = newest.toReversed();
  const partial = audit.length === MOST_RECORDS;
  return buildReport({ customer, devices, yubikeys, consents, openAlarms, audit, partial, trail, now }, quarter);
}
