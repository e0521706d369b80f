/** As Apple names processors, with their numbers in Mach-O (mach/machine.h): type, subtype; and the bits of the size of a page. */
const PROCESSORS = { arm64: [0x0100_000c, 0, 14], x86_64: [0x0100_0007, 3, 12] } as const;
export type Processor = keyof typeof PROCESSORS;
export const ALL_PROCESSORS: readonly Processor[] = ['x86_64', 'arm64'];

/** Mach-O of 64 bits, in the order of bytes of both. */
const MACH_O = 0xfeed_facf;
const UNIVERSAL = 0xcafe_babe;
const HEADER_BYTES = 8;
const RECORD_BYTES = 20;

/**
 * One file with the same program for several processors, as lipo(1) makes it, byte by byte: a header in big-endian, and the files, each at a page of its own.
 * @throws TypeError where a file is not for the processor that it is given for
 */
export function writeUniversal(files: Readonly<Record<Processor, Buffer>>): Buffer {
  const header = Buffer.alloc(HEADER_BYTES + ALL_PROCESSORS.length * RECORD_BYTES);
  header.writeUInt32BE(UNIVERSAL, 0);
  header.writeUInt32BE(ALL_PROCESSORS.length, 4);
  const parts: Buffer[] = [header];
  let end = header.length;
  for (const [index, name] of ALL_PROCESSORS.entries()) {
    const file = files[name];
    const [type, subtype, pageBits] = PROCESSORS[name];
    if (file.length < 32 || file.readUInt32LE(0) !== MACH_O || file.readUInt32LE(4) !== type) {
      throw new TypeError(`not a program for ${name}`);
    }
    const start = Math.ceil(end / 2 ** pageBits) * 2 ** pageBits;
    parts.push(Buffer.alloc(start - end), file);
    for (const [field, value] of [type, subtype, start, file.length, pageBits].entries()) {
      header.writeUInt32BE(value, HEADER_BYTES + index * RECORD_BYTES + field * 4);
    }
    end = start + file.length;
  }
  return Buffer.concat(parts);
}
