import { type Row } from './table.ts';

/**
 * Rows as CSV (RFC 4180): the fields of the JSON, in order of appearance, with their names in the first line; times are RFC 3339 in UTC,
 * identifiers whole. A text that a spreadsheet would take for a formula gets an apostrophe before it: laptops choose their own names.
 */
export function renderCsv(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [names, ...rows.map((row) => names.map((name) => valueOf(row[name])))];
  return lines.map((line) => `${line.map(quoted).join(',')}\r\n`).join('');
}

function valueOf(cell: Row[string] | undefined): string {
  if (cell === undefined) return '';
  if (typeof cell === 'number') return String(cell);
  // Times and identifiers as in the JSON.
  const text = typeof cell === 'string' ? cell : cell.toJSON();
  return /^[=+\-@\t\r]/u.test(text) ? `'${text}` : text;
}

const quoted = (text: string): string => (/[",\r\n]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
