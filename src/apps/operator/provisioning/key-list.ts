import { KiwiError } from '../../../core/errors.ts';
import { readGivenFile, unusable } from '../../../core/read-given-file.ts';
import { printable } from '../../../core/log.ts';

/** A YubiKey, and for whom it is. */
export interface ListedKey {
  readonly serial: number;
  readonly role: string;
  readonly name: string;
}

const MAX_BYTES = 256 << 10;
const COLUMNS = ['serial', 'role', 'name'] as const;
const MAX_TEXT = 100;

/**
 * Reads the list: CSV (RFC 4180) with a header that names the columns serial, role and name, in any order.
 * @throws KiwiError `file-unusable`, naming the line
 */
export async function readKeyList(file: string): Promise<ListedKey[]> {
  const text = (await readGivenFile(file, { option: '--list', maxBytes: MAX_BYTES }))
    .toString('utf8')
    .replace(/^\uFEFF/u, '');
  const refuse = (why: string): KiwiError => unusable(file, why, { option: '--list' });
  const [header = [], ...rows] = recordsOf(text, refuse);
  const names = header.map((name) => name.trim().toLowerCase());
  const at = COLUMNS.map((column) => names.indexOf(column));
  if (at.includes(-1) || names.length !== COLUMNS.length) throw refuse(`must begin with the line ${COLUMNS.join(',')}`);
  const keys = rows.map((row, index) => {
    const line = `line ${index + 2}`;
    if (row.length !== names.length) throw refuse(`${line}: ${row.length} fields and not ${names.length}`);
    const [serial = '', role = '', name = ''] = at.map((place) => (row[place] ?? '').trim());
    if (!/^[1-9]\d{0,9}$/u.test(serial) || Number(serial) > 0xff_ff_ff_ff)
      throw refuse(`${line}: ${printable(serial)} is no serial number`);
    for (const value of [role, name]) {
      if (value === '' || value.length > MAX_TEXT || printable(value) !== value)
        throw refuse(`${line}: role and name must be texts of 1 to ${MAX_TEXT} characters`);
    }
    return { serial: Number(serial), role, name };
  });
  if (keys.length === 0) throw refuse('lists no key');
  const twice = keys.find(({ serial }, index) => keys.findIndex((key) => key.serial === serial) !== index);
  if (twice !== undefined) throw refuse(`lists the key ${twice.serial} twice`);
  return keys;
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
