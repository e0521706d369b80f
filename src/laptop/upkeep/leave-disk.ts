import type { DiskRecordFile } from '../state/disk-record.ts';
import type { Disk } from '../system/disk.ts';

/**
 * After the enrollment has ended: takes what an organisation was given from its owner's disk. The disk that came from an OEM stays as it is,
 * because it is the organisation's.
 * @returns false when nothing had to be taken away
 */
export async function leaveDisk(disk: Disk, file: DiskRecordFile): Promise<boolean> {
  const record = await file.load();
  if (record?.agreedAt === undefined) return false;
  const { key, making, leaving } = record;
  const volume = await disk.look();
  const isOurs = volume !== undefined && (key === undefined || key.uuid === volume.uuid);
  const slots = [...leaving, ...(key === undefined ? [] : [key.slot]), ...(making === undefined ? [] : [making.slot])];
  // A disk that was formatted in the meantime has keys of its owner's only.
  for (const slot of isOurs ? slots : []) await disk.removeSlot(slot);
  await file.remove();
  return true;
}
