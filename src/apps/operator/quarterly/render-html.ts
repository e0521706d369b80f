import { escapeHtml } from '../../../core/escape-html.ts';
import { printable } from '../../../core/log.ts';
import type { QuarterlyReport } from './quarterly-report.ts';
import { sectionsOf, titleOf, type Section } from './sections.ts';

const STYLE = `
body { font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #767676; }
table { border-collapse: collapse; width: 100%; margin-top: 1rem; } caption { text-align: start; font-weight: 600; padding-bottom: .25rem; }
th, td { border: 1px solid #767676; padding: .35rem .6rem; text-align: start; vertical-align: top; overflow-wrap: anywhere; }
th { background: #f0f0f0; } td.number { text-align: end; font-variant-numeric: tabular-nums; }
@media print { body { max-width: none; padding: 0; } section { break-inside: avoid; } }
`;

/**
 * The report as one page that needs nothing else: no script, no font, no picture, and nothing that is fetched, which its policy says too. With
 * landmarks, headings in order, and tables with captions and headers (WCAG 2.2).
 */
export function renderHtml(report: QuarterlyReport): string {
  const title = escaped(titleOf(report));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${sectionsOf(report).map(sectionText).join('\n')}
</main>
<footer><p>Made at ${escaped(report.madeAt)}.</p></footer>
</body>
</html>
`;
}

function sectionText({ title, lines, table }: Section, index: number): string {
  const id = `section-${index + 1}`;
  const said = lines.map((line) => `<p>${escaped(line)}</p>`).join('\n');
  return `<section aria-labelledby="${id}">\n<h2 id="${id}">${escaped(title)}</h2>\n${said}${table === undefined ? '' : `\n${tableText(table)}`}\n</section>`;
}

function tableText({ caption, columns, rows }: NonNullable<Section['table']>): string {
  const head = columns.map((column) => `<th scope="col">${escaped(column)}</th>`).join('');
  const cell = (value: string | number): string =>
    typeof value === 'number' ? `<td class="number">${value}</td>` : `<td>${escaped(value)}</td>`;
  const row = ([first = '', ...others]: readonly (string | number)[]): string =>
    `<tr><th scope="row">${escaped(String(first))}</th>${others.map(cell).join('')}</tr>`;
  return `<table>\n<caption>${escaped(caption)}</caption>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${rows.map(row).join('\n')}\n</tbody>\n</table>`;
}

const escaped = (text: string): string => escapeHtml(printable(text));
