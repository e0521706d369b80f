/** What the firmware says of the machine: SMBIOS (DMTF DSP0134), structures 1 to 3. */
export interface Smbios {
  readonly uuid?: string;
  readonly systemSerial?: string;
  readonly boardSerial?: string;
  readonly chassisSerial?: string;
  readonly model?: string;
}

/** Windows puts these eight bytes before the table: calling method, version, revision, and its length. */
const HEADER = 8;
const END_OF_TABLE = 127;

/**
 * Reads what GetSystemFirmwareTable('RSMB') gives. Firmware is sloppy, so nothing is read beyond the table and what is not there is left
 * out; placeholders (`Default string`) are returned as they are, for the fingerprint to judge.
 */
export function readSmbios(raw: Buffer): Smbios {
  if (raw.length < HEADER) return {};
  const end = Math.min(raw.length, HEADER + raw.readUInt32LE(4));
  const version = [raw.readUInt8(1), raw.readUInt8(2)] as const;
  let found: Smbios = {};
  for (const { type, formatted, strings } of structures(raw.subarray(HEADER, end))) {
    const text = (offset: number): string | undefined =>
      formatted.length > offset ? strings[formatted.readUInt8(offset) - 1] : undefined;
    // The first of each: a second is that of a module or a dock.
    if (type === 1)
      found = { ...defined({ uuid: uuidIn(formatted, version), systemSerial: text(7), model: text(5) }), ...found };
    else if (type === 2) found = { ...defined({ boardSerial: text(7) }), ...found };
    else if (type === 3) found = { ...defined({ chassisSerial: text(7) }), ...found };
  }
  return found;
}

interface Structure {
  readonly type: number;
  readonly formatted: Buffer;
  readonly strings: readonly string[];
}

/** Each begins with its type, the length of its formatted area and a handle; then come its texts, and a NUL after the last one's. */
function* structures(table: Buffer): Generator<Structure> {
  let at = 0;
  while (at + 4 <= table.length) {
    const [type, length] = [table.readUInt8(at), table.readUInt8(at + 1)];
    if (type === END_OF_TABLE || length < 4 || at + length > table.length) return;
    const end = table.indexOf('\0\0', at + length, 'latin1');
    if (end < 0) return;
    const texts = table.toString('latin1', at + length, end);
    yield { type, formatted: table.subarray(at, at + length), strings: texts === '' ? [] : texts.split('\0') };
    at = end + 2;
  }
}

/** Since version 2.6 its first three parts are little-endian (DSP0134, section 7.2.1); Windows and Linux print it so. */
function uuidIn(system: Buffer, [major, minor]: readonly [number, number]): string | undefined {
  if (system.length < 24) return undefined;
  const bytes = Buffer.from(system.subarray(8, 24));
  if (major > 2 || (major === 2 && minor >= 6)) {
    bytes.subarray(0, 4).reverse();
    bytes.subarray(4, 6).reverse();
    bytes.subarray(6, 8).reverse();
  }
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/u, '$1-$2-$3-$4-$5');
}

function defined(fields: { readonly [Name in keyof Smbios]: Smbios[Name] | undefined }): Smbios {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''));
}
