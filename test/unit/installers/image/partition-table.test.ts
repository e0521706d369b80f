import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  PARTITION_TYPES,
  readPartitionTable,
  writePartitionTable,
} from '../../../../installers/image/partition-table.ts';

const MIB = 1 << 20;
const partitions = [
  {
    name: 'kiwi-esp',
    type: PARTITION_TYPES.esp,
    uuid: '01234567-89ab-8def-8123-456789abcdef',
    start: MIB,
    size: 2 * MIB,
  },
  {
    name: 'kiwi-root',
    type: PARTITION_TYPES.root,
    uuid: 'fedcba98-7654-8210-9edc-ba9876543210',
    start: 3 * MIB,
    size: 4 * MIB,
  },
];

let folder: string;
let disk: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-gpt-'));
  disk = path.join(folder, 'disk');
  await writeFile(disk, '');
  await truncate(disk, 8 * MIB);
  await writePartitionTable(disk, { uuid: '11111111-2222-8333-8444-555555555555', size: 8 * MIB, partitions });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('what was written is read back', async () => {
  expect(await readPartitionTable(disk)).toEqual(partitions);
});

test('the bytes are where the specification has them', async () => {
  const bytes = await readFile(disk);
  expect(bytes.subarray(510, 512).toString('hex')).toBe('55aa');
  expect(bytes[450]).toBe(0xee);
  // The GUID of an EFI partition, as every other tool writes it.
  expect(bytes.subarray(1024, 1040).toString('hex')).toBe('28732ac11ff8d211ba4b00a0c93ec93b');
  // The last sector has the same table's copy, which names itself and the first.
  const copy = bytes.subarray(-512);
  expect(copy.toString('latin1', 0, 8)).toBe('EFI PART');
  expect([copy.readBigUInt64LE(24), copy.readBigUInt64LE(32)]).toEqual([BigInt((8 * MIB) / 512 - 1), 1n]);
});

test.each([
  ['no table', 512, 'has no partition table'],
  ['a damaged header', 512 + 40, 'cannot be read'],
  ['a damaged table', 1024 + 32, 'damaged'],
])('%s is refused', async (_what, at, why) => {
  const broken = path.join(folder, 'broken');
  await writeFile(broken, await readFile(disk));
  const handle = await open(broken, 'r+');
  await handle.write(Buffer.from([0xa5]), 0, 1, at);
  await handle.close();
  await expect(readPartitionTable(broken)).rejects.toThrow(
    expect.objectContaining({ code: 'file-unusable', detail: expect.stringContaining(why) as string }),
  );
});

test('an empty file, and a short one, have no table', async () => {
  for (const length of [0, 700]) {
    const short = path.join(folder, 'short');
    await writeFile(short, Buffer.alloc(length));
    await expect(readPartitionTable(short)).rejects.toMatchObject({ code: 'file-unusable' });
  }
});
