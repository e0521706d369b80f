import { printable } from '../../../core/log.ts';
import type { QuarterlyReport } from './quarterly-report.ts';
import { sectionsOf, titleOf, type Section } from './sections.ts';

/** The report in Markdown (CommonMark, with tables as GitHub has them). */
export function renderMarkdown(report: QuarterlyReport): string {
  const parts = sectionsOf(report).map(sectionText);
  return [`# ${plain(titleOf(report))}`, ...parts, `Made at ${report.madeAt}.`].join('\n\n').concat('\n');
}

function sectionText({ title, lines, table }: Section): string {
  const row = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((cell) => plain(String(cell))).join(' | ')} |`;
  const rows =
    table === undefined
      ? []
      : [[row(table.columns), `| ${table.columns.map(() => '---').join(' | ')} |`, ...table.rows.map(row)].join('\n')];
  const said = lines.length === 0 ? [] : [lines.map((line) => plain(line)).join('\n')];
  return [`## ${plain(title)}`, ...said, ...rows].join('\n\n');
}

/** What somebody wrote as a reason stays text: no markup, no HTML, no second row. */
function plain(text: string): string {
  return printable(text).replaceAll(/[\\`*_{}[\]<>()#!|&~]/gu, (sign) => `\\${sign}`);
}
