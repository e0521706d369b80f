import { KiwiError } from '../../core/errors.ts';
import type { DiskFacts } from '../system/inspector.ts';
import { notWell, well, type Check } from './check.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

/** A renewal writes a few kilobytes; an update of the Fleet agent some hundred megabytes. */
const ENOUGH_BYTES = 200e6;
const ENOUGH_INODES = 1000;

/** One folder of each file system: on most laptops all of them are on one. A part of it that is mounted read-only is looked at too. */
async function disks({ context }: EnrollmentFacts): Promise<{ folder: string; disk: DiskFacts }[]> {
  const { inspector, writtenFolders } = context.platform;
  const found = await Promise.all(writtenFolders.map((folder) => inspector.disk(folder)));
  const seen = new Set<string>();
  return writtenFolders.flatMap((folder, index) => {
    const disk = found[index];
    if (disk === undefined) return [];
    const key = `${disk.fileSystem ?? folder} ${String(disk.writable)}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ folder, disk }];
  });
}

export const diskWritable: Check = {
  code: 'disk-writable',
  severity: 'failure',
  what: 'The file systems that the enrollment writes to can be written to.',
  matters: 'The certificate cannot be renewed.',
  dependsOn: [],
  async run(facts) {
    const found = await disks(facts);
    const closed = found.filter(({ disk }) => !disk.writable).map(({ folder }) => folder);
    if (closed.length === 0) return well(found.map(({ folder }) => folder).join(', '));
    return notWell(new KiwiError('read-only-file-system', { detail: closed.join(', ') }));
  },
};

export const diskSpace: Check = {
  code: 'disk-space',
  severity: 'warning',
  what: 'There is room on the file systems that the enrollment writes to.',
  matters: 'When it is used up, the certificate cannot be renewed and the Fleet agent stops.',
  dependsOn: [],
  async run(facts) {
    const found = await disks(facts);
    const shown = ({ folder, disk }: (typeof found)[number]): string =>
      `${Math.floor(disk.freeBytes / 1e6)} MB free on ${folder}`;
    const full = found.filter(({ disk }) => disk.freeBytes < ENOUGH_BYTES);
    if (full.length === 0) return well(found.map(shown).join(', '));
    return notWell(new KiwiError('disk-full', { detail: full.map(shown).join(', ') }));
  },
};

export const diskInodes: Check = {
  code: 'disk-inodes',
  severity: 'warning',
  what: 'There is room for new files, whatever their size.',
  matters: 'No file can be made although the disk has room: the certificate cannot be renewed.',
  dependsOn: [],
  async run(facts) {
    const found = await disks(facts);
    const few = found.filter(({ disk }) => disk.freeInodes !== undefined && disk.freeInodes < ENOUGH_INODES);
    if (few.length === 0) return well('enough inodes');
    const detail = few.map(({ folder, disk }) => `${disk.freeInodes ?? 0} inodes free on ${folder}`).join(', ');
    const hint = 'Many small files are in the way. Remove those that are not needed.';
    return notWell(new KiwiError('disk-full', { detail, hint }));
  },
};
