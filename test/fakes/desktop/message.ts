/** The part of D-Bus' message format that the service needs (D-Bus Specification, "Message Protocol"): little endian, no descriptors. */

export interface Message {
  readonly type: number;
  readonly serial: number;
  readonly fields: ReadonlyMap<number, string | number>;
  readonly body: Buffer;
}

export const TYPE = { call: 1, reply: 2, error: 3 } as const;
export const FIELD = {
  path: 1,
  interface: 2,
  member: 3,
  errorName: 4,
  replySerial: 5,
  destination: 6,
  sender: 7,
  signature: 8,
} as const;

const align = (at: number, to: number): number => Math.ceil(at / to) * to;

/** @returns the first message and how many bytes it has; undefined while it is not whole */
export function readMessage(bytes: Buffer): { message: Message; length: number } | undefined {
  if (bytes.length < 16) return undefined;
  const fieldsLength = bytes.readUInt32LE(12);
  const start = align(16 + fieldsLength, 8);
  const length = start + bytes.readUInt32LE(4);
  if (bytes.length < length) return undefined;
  const fields = new Map<number, string | number>();
  for (let at = 16; at < 16 + fieldsLength;) {
    at = align(at, 8);
    const code = bytes[at] ?? 0;
    const signature = bytes.toString('latin1', at + 2, at + 2 + (bytes[at + 1] ?? 0));
    at += 3 + signature.length;
    if (signature === 'u') {
      at = align(at, 4);
      fields.set(code, bytes.readUInt32LE(at));
      at += 4;
    } else {
      const short = signature === 'g';
      at = short ? at : align(at, 4);
      const size = short ? (bytes[at] ?? 0) : bytes.readUInt32LE(at);
      const from = at + (short ? 1 : 4);
      fields.set(code, bytes.toString('utf8', from, from + size));
      at = from + size + 1;
    }
  }
  const [type, serial] = [bytes[1] ?? 0, bytes.readUInt32LE(8)];
  return { message: { type, serial, fields, body: bytes.subarray(start, length) }, length };
}

/** @param fields by code; a number is a `u`, code 8 a `g`, code 1 an `o`, all others an `s` */
export function writeMessage(
  type: number,
  serial: number,
  fields: readonly (readonly [number, string | number])[],
  body: Buffer = Buffer.alloc(0),
): Buffer {
  const parts: Buffer[] = [];
  let at = 16;
  const put = (part: Buffer): void => {
    parts.push(part);
    at += part.length;
  };
  const pad = (to: number): void => put(Buffer.alloc(align(at, to) - at));
  for (const [code, value] of fields) {
    pad(8);
    const kind = typeof value === 'number' ? 'u' : code === FIELD.signature ? 'g' : code === FIELD.path ? 'o' : 's';
    put(Buffer.from([code, 1, kind.charCodeAt(0), 0]));
    if (typeof value === 'number') {
      pad(4);
      put(uint32(value));
    } else if (kind === 'g') put(Buffer.concat([Buffer.from([value.length]), Buffer.from(`${value}\0`)]));
    else {
      pad(4);
      put(Buffer.concat([uint32(Buffer.byteLength(value)), Buffer.from(`${value}\0`)]));
    }
  }
  const fieldsLength = at - 16;
  pad(8);
  const head = Buffer.concat([
    Buffer.from(['l'.charCodeAt(0), type, 0, 1]),
    uint32(body.length),
    uint32(serial),
    uint32(fieldsLength),
  ]);
  return Buffer.concat([head, ...parts, body]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export const string = (text: string): Buffer =>
  Buffer.concat([uint32(Buffer.byteLength(text)), Buffer.from(`${text}\0`)]);

/** The leading `s` and `u` of a body. */
export function readValues(body: Buffer, signature: string): (string | number)[] {
  const values: (string | number)[] = [];
  let at = 0;
  for (const kind of signature) {
    if (kind !== 's' && kind !== 'u') break;
    at = align(at, 4);
    const value = body.readUInt32LE(at);
    at += 4;
    if (kind === 'u') values.push(value);
    else {
      values.push(body.toString('utf8', at, at + value));
      at += value + 1;
    }
  }
  return values;
}
