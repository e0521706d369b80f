import { printable } from '../../../core/log.ts';
import { readCsvList } from '../read-csv-list.ts';

/** A YubiKey, and for whom it is. */
export interface ListedKey {
  readonly serial: number;
  readonly role: string;
  readonly name: string;
}

const MAX_BYTES = 256 << 10;
const MAX_TEXT = 100;

/**
 * Reads the list: CSV with the columns serial, role and name.
 * @throws KiwiError `file-unusable`, naming the line
 */
export async function readKeyList(file: string): Promise<ListedKey[]> {
  const { rows, refuse } = await readCsvList(file, { required: ['serial', 'role', 'name'] }, MAX_BYTES);
  const keys = rows.map(({ line, field }) => {
    const [serial, role, name] = [field('serial'), field('role'), field('name')];
    if (!/^[1-9]\d{0,9}$/u.test(serial) || Number(serial) > 0xff_ff_ff_ff)
      throw refuse(`line ${line}: ${printable(serial)} is no serial number`);
    for (const value of [role, name]) {
      if (value === '' || value.length > MAX_TEXT || printable(value) !== value)
        throw refuse(`line ${line}: role and name must be texts of 1 to ${MAX_TEXT} characters`);
    }
    return { serial: Number(serial), role, name };
  });
  if (keys.length === 0) throw refuse('lists no key');
  const twice = keys.find(({ serial }, index) => keys.findIndex((key) => key.serial === serial) !== index);
  if (twice !== undefined) throw refuse(`lists the key ${twice.serial} twice`);
  return keys;
}
