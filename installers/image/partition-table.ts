import { open, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

import { KiwiError } from '../../src/core/errors.ts';

/** UEFI specification 2.10, section 5.3: the GUID Partition Table. */
const SECTOR = 512;
const ENTRIES = 128;
const ENTRY_BYTES = 128;
const TABLE_SECTORS = (ENTRIES * ENTRY_BYTES) / SECTOR;
const HEADER_BYTES = 92;

/** The Discoverable Partitions Specification; systemd-repart knows partitions by these. */
export const PARTITION_TYPES = {
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  root: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
} as const;

export interface Partition {
  readonly name: string;
  readonly type: string;
  readonly uuid: string;
  /** In bytes, multiples of a sector. */
  readonly start: number;
  readonly size: number;
}

/** Writes protective MBR, table, and the table's copy at the end of the disk. */
export async function writePartitionTable(
  disk: string,
  { uuid, size, partitions }: { uuid: string; size: number; partitions: readonly Partition[] },
): Promise<void> {
  const last = size / SECTOR - 1;
  const entries = Buffer.alloc(ENTRIES * ENTRY_BYTES);
  for (const [index, partition] of partitions.entries()) {
    const at = index * ENTRY_BYTES;
    guidBytes(partition.type).copy(entries, at);
    guidBytes(partition.uuid).copy(entries, at + 16);
    entries.writeBigUInt64LE(BigInt(partition.start / SECTOR), at + 32);
    entries.writeBigUInt64LE(BigInt((partition.start + partition.size) / SECTOR - 1), at + 40);
    entries.write(partition.name, at + 56, 72, 'utf16le');
  }
  const header = (own: number, other: number, table: number): Buffer => {
    const block = Buffer.alloc(SECTOR);
    block.write('EFI PART');
    block.writeUInt32LE(0x0001_0000, 8);
    block.writeUInt32LE(HEADER_BYTES, 12);
    block.writeBigUInt64LE(BigInt(own), 24);
    block.writeBigUInt64LE(BigInt(other), 32);
    block.writeBigUInt64LE(BigInt(2 + TABLE_SECTORS), 40);
    block.writeBigUInt64LE(BigInt(last - TABLE_SECTORS - 1), 48);
    guidBytes(uuid).copy(block, 56);
    block.writeBigUInt64LE(BigInt(table), 72);
    block.writeUInt32LE(ENTRIES, 80);
    block.writeUInt32LE(ENTRY_BYTES, 84);
    block.writeUInt32LE(crc32(entries), 88);
    block.writeUInt32LE(crc32(block.subarray(0, HEADER_BYTES)), 16);
    return block;
  };
  const handle = await open(disk, 'r+');
  try {
    const write = (data: Buffer, sector: number): Promise<unknown> =>
      handle.write(data, 0, data.length, sector * SECTOR);
    await write(protectiveMbr(last), 0);
    await write(header(1, last, 2), 1);
    await write(entries, 2);
    await write(entries, last - TABLE_SECTORS);
    await write(header(last, 1, last - TABLE_SECTORS), last);
  } finally {
    await handle.close();
  }
}

/** An old tool sees one partition of an unknown kind instead of an empty disk. */
function protectiveMbr(last: number): Buffer {
  const block = Buffer.alloc(SECTOR);
  block.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
  block.writeUInt32LE(1, 454);
  block.writeUInt32LE(Math.min(last, 0xffff_ffff), 458);
  block.set([0x55, 0xaa], 510);
  return block;
}

/** @param disk a file, or a disk @throws KiwiError `file-unusable` when there is no such table, or a damaged one */
export async function readPartitionTable(disk: string): Promise<Partition[]> {
  const handle = await open(disk, 'r');
  try {
    const header = await readAt(handle, SECTOR, SECTOR);
    const refuse = (why: string): never => {
      throw new KiwiError('file-unusable', { detail: `${disk} ${why}` });
    };
    if (header.toString('latin1', 0, 8) !== 'EFI PART') refuse('has no partition table (GPT)');
    const said = header.readUInt32LE(16);
    header.writeUInt32LE(0, 16);
    const whole = header.readUInt32LE(12) === HEADER_BYTES && crc32(header.subarray(0, HEADER_BYTES)) === said;
    const shaped = header.readUInt32LE(80) === ENTRIES && header.readUInt32LE(84) === ENTRY_BYTES;
    if (!whole || !shaped) refuse('has a partition table that cannot be read');
    const entries = await readAt(handle, Number(header.readBigUInt64LE(72)) * SECTOR, ENTRIES * ENTRY_BYTES);
    if (crc32(entries) !== header.readUInt32LE(88)) refuse('has a damaged partition table');
    return Array.from({ length: ENTRIES }, (_, index) =>
      entries.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES),
    )
      .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
      .map(partitionOf);
  } finally {
    await handle.close();
  }
}

function partitionOf(entry: Buffer): Partition {
  const first = Number(entry.readBigUInt64LE(32));
  const last = Number(entry.readBigUInt64LE(40));
  return {
    name: entry.toString('utf16le', 56).replace(/\0.*$/su, ''),
    type: guidText(entry.subarray(0, 16)),
    uuid: guidText(entry.subarray(16, 32)),
    start: first * SECTOR,
    size: (last - first + 1) * SECTOR,
  };
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  // What is missing at the end of a short file stays zero, and is no table.
  await handle.read(buffer, 0, length, position);
  return buffer;
}

/** The first three groups are little-endian (appendix A of the specification). */
function guidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  return Buffer.concat([
    bytes.subarray(0, 4).reverse(),
    bytes.subarray(4, 6).reverse(),
    bytes.subarray(6, 8).reverse(),
    bytes.subarray(8),
  ]);
}

function guidText(bytes: Buffer): string {
  const copy = Buffer.from(bytes);
  const hex = [
    copy.subarray(0, 4).reverse(),
    copy.subarray(4, 6).reverse(),
    copy.subarray(6, 8).reverse(),
    copy.subarray(8, 10),
    copy.subarray(10),
  ];
  return hex.map((part) => part.toString('hex')).join('-');
}
