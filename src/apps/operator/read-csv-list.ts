import type { KiwiError } from '../../core/errors.ts';
import { readGivenFile, unusable } from '../../core/read-given-file.ts';

export interface CsvList {
  /** The fields of each line by the names in the header, trimmed; an optional column that is not there is empty. */
  readonly rows: readonly { readonly line: number; readonly field: (column: string) => string }[];
  /** What to throw when the file says something that cannot be. */
  readonly refuse: (why: string) => KiwiError;
}

/**
 * Reads a list: CSV (RFC 4180) with a header that names its columns, in any order and case.
 * @throws KiwiError `file-unusable`, naming the line
 */
export async function readCsvList(
  file: string,
  columns: { readonly required: readonly string[]; readonly optional?: readonly string[] },
  maxBytes: number,
): Promise<CsvList> {
  const option = '--list';
  const text = (await readGivenFile(file, { option, maxBytes })).toString('utf8').replace(/^\uFEFF/u, '');
  const refuse = (why: string): KiwiError => unusable(file, why, { option });
  const { required, optional = [] } = columns;
  const [header = [], ...records] = recordsOf(text, refuse);
  const names = header.map((name) => name.trim().toLowerCase());
  const missing = required.filter((column) => !names.includes(column));
  const unknown = names.filter((name) => !required.includes(name) && !optional.includes(name));
  if (missing.length > 0 || unknown.length > 0 || new Set(names).size !== names.length) {
    if (optional.length === 0) throw refuse(`must begin with the line ${required.join(',')}`);
    const also = `and perhaps ${optional.join(', ')}`;
    throw refuse(`must begin with a line that names the columns ${required.join(', ')} ${also}`);
  }
  const rows = records.map((record, index) => {
    const line = index + 2;
    if (record.length !== names.length) throw refuse(`line ${line}: ${record.length} fields and not ${names.length}`);
    return { line, field: (column: string) => (record[names.indexOf(column)] ?? '').trim() };
  });
  return { rows, refuse };
}

function recordsOf(text: string, refuse: (why: string) => KiwiError): string[][] {
  const records: string[][] = [];
  let fields: string[] = [];
  // A field in quotes, in which two stand for one, or one without; then a comma or the end of the line.
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/uy;
  while (field.lastIndex < text.length) {
    const begun = field.lastIndex;
    const found = field.exec(text);
    if (found === null)
      throw refuse(`line ${text.slice(0, begun).split('\n').length}: a quotation mark has no counterpart`);
    fields.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    if (found[3] === ',' && field.lastIndex < text.length) continue;
    if (found[3] === ',') fields.push('');
    if (fields.length > 1 || fields[0]?.trim() !== '') records.push(fields);
    fields = [];
  }
  return records;
}
