import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, open, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { PARTITION_TYPES, writePartitionTable, type Partition } from './partition-table.ts';
import type { Tools } from './tools.ts';
import { uuidOf } from './uuid-of.ts';

const MIB = 1 << 20;
/** What the boot loader needs is 6 MB; updates of firmware are put there too. FAT32 has at least 65 525 clusters. */
const ESP_MIB = 128;

type EspTool = 'mformat' | 'mmd' | 'mcopy';

export interface DiskRequest {
  /** Does not exist yet. */
  readonly disk: string;
  readonly root: string;
  /** Of the system's file system. */
  readonly uuid: string;
  /** The folder of the distribution's GRUB. */
  readonly efiFolder: string;
  /** For what is laid out for the EFI partition; empty. */
  readonly work: string;
  readonly rootMib: number;
  readonly epochSeconds: number;
}

/**
 * Makes a raw disk: an EFI partition with shim and GRUB, as the distribution has signed them, and the system on ext4. Nothing is mounted.
 * @returns the folder of what is on the EFI partition
 */
export async function makeDisk(tools: Tools<'mke2fs' | EspTool>, request: DiskRequest): Promise<string> {
  const { disk, uuid, rootMib } = request;
  const size = (1 + ESP_MIB + rootMib + 1) * MIB;
  const partition = (name: keyof typeof PARTITION_TYPES, start: number, mib: number): Partition => ({
    name: `kiwi-${name}`,
    type: PARTITION_TYPES[name],
    uuid: uuidOf(`${uuid} ${name}`),
    start: start * MIB,
    size: mib * MIB,
  });
  const [esp, root] = [partition('esp', 1, ESP_MIB), partition('root', 1 + ESP_MIB, rootMib)];
  const handle = await open(disk, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o644);
  await handle.truncate(size);
  await handle.close();
  await writePartitionTable(disk, { uuid: uuidOf(`${uuid} disk`), size, partitions: [esp, root] });
  const files = await layOutEsp(request);
  await fillEsp(tools, request, esp, files);
  await makeRootFileSystem(tools, request, root);
  return files;
}

/** The system's file system, with what is in the folder `root`. Without what GRUB of Debian 12 cannot read. */
export async function makeRootFileSystem(
  tools: Tools<'mke2fs'>,
  { disk, root, uuid, epochSeconds }: Pick<DiskRequest, 'disk' | 'root' | 'uuid' | 'epochSeconds'>,
  partition: Partition,
): Promise<void> {
  const extended = `offset=${partition.start.toString()},hash_seed=${uuid},lazy_itable_init=1,lazy_journal_init=1`;
  const identity = ['-t', 'ext4', '-L', 'kiwi-root', '-U', uuid, '-O', '^metadata_csum_seed,^orphan_file'];
  await runChecked({
    program: tools.mke2fs,
    args: ['-q', '-F', ...identity, '-E', extended, '-d', root, disk, `${(partition.size / 1024).toString()}k`],
    env: { ...MINIMAL_ENVIRONMENT, E2FSPROGS_FAKE_TIME: epochSeconds.toString() },
    timeoutMs: 1_800_000,
  });
}

/** shim starts GRUB, which lies beside it, and GRUB reads the settings in the folder of its distribution. */
async function layOutEsp({ root, uuid, efiFolder, work }: DiskRequest): Promise<string> {
  const files = path.join(work, 'esp');
  const boot = path.join(files, 'EFI/BOOT');
  const vendor = path.join(files, 'EFI', efiFolder);
  for (const folder of [boot, vendor]) await mkdir(folder, { recursive: true });
  await copyFile(path.join(root, 'usr/lib/shim/shimx64.efi.signed'), path.join(boot, 'BOOTX64.EFI'));
  await copyFile(path.join(root, 'usr/lib/shim/mmx64.efi.signed'), path.join(boot, 'mmx64.efi'));
  await copyFile(path.join(root, 'usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed'), path.join(boot, 'grubx64.efi'));
  const found = `search --no-floppy --fs-uuid --set=root ${uuid}\n`;
  const settings = `${found}set prefix=($root)/boot/grub\nconfigfile ($root)/boot/grub/grub.cfg\n`;
  for (const folder of [boot, vendor]) await writeFile(path.join(folder, 'grub.cfg'), settings);
  return files;
}

async function fillEsp(tools: Tools<EspTool>, request: DiskRequest, esp: Partition, files: string): Promise<void> {
  // mtools: after @@ stands where the file system begins.
  const place = `${request.disk}@@${esp.start.toString()}`;
  const env = {
    ...MINIMAL_ENVIRONMENT,
    MTOOLS_SKIP_CHECK: '1',
    SOURCE_DATE_EPOCH: request.epochSeconds.toString(),
    TZ: 'UTC',
  };
  const sectors = (esp.size / 512).toString();
  const run = (program: string, args: readonly string[]): Promise<unknown> =>
    runChecked({ program, args: ['-i', place, ...args], env, timeoutMs: 120_000 });
  await run(tools.mformat, ['-T', sectors, '-h', '64', '-s', '32', '-F', '-v', 'KIWI-ESP', '-N', '4b495749', '::']);
  for (const entry of (await readdir(files, { recursive: true, withFileTypes: true })).sort(byPath)) {
    const file = path.join(entry.parentPath, entry.name);
    const target = `::/${path.relative(files, file)}`;
    if (entry.isDirectory()) await run(tools.mmd, [target]);
    else await run(tools.mcopy, [file, target]);
  }
}

const pathOf = (entry: { parentPath: string; name: string }): string => path.join(entry.parentPath, entry.name);
const byPath = (one: { parentPath: string; name: string }, other: { parentPath: string; name: string }): number =>
  pathOf(one) < pathOf(other) ? -1 : 1;

/** What a file system of these files needs, with room for the updates of some months. */
export async function rootMib(root: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    // Each file takes whole blocks, and an inode.
    if (entry.isFile()) bytes += Math.ceil((await lstat(pathOf(entry))).size / 4096) * 4096;
    bytes += 512;
  }
  const room = 1024;
  return Math.ceil((bytes * 1.15) / MIB / 64) * 64 + room;
}
