import type { Edge } from './edges.ts';

const LOST = 'a slot whose key nobody has';

/** The edges of securing a disk, in order: test/unit/laptop/upkeep/secure-disk.test.ts holds them against what a run passes. */
export const DISK_EDGES: readonly Edge[] = [
  {
    ...{ point: 'disk:before-reencryption#1', step: 'disk', leaves: 'a note of the volume key that there was' },
    next: 'begins the re-encryption',
  },
  {
    ...{
      point: 'disk:reencrypting#1',
      step: 'disk',
      leaves: 'the re-encryption, which goes on, or is cut off with the power',
    },
    next: 'waits for it, or resumes it',
  },
  {
    ...{ point: 'disk:after-intent#1', step: 'disk', leaves: 'the number of a slot that is still empty' },
    next: 'forgets it, and chooses another number for a new recovery key',
  },
  { point: 'disk:after-key#1', step: 'disk', leaves: LOST, next: 'empties it, and makes another recovery key' },
  {
    ...{ point: 'disk:after-receipt#1', step: 'disk', leaves: `${LOST} but the customer` },
    next: 'empties it, and makes another recovery key with a higher number',
  },
  {
    ...{ point: 'disk:after-record#1', step: 'disk', leaves: "the recovery key, and the factory's" },
    next: 'goes on with the TPM',
  },
  {
    ...{ point: 'disk:after-tpm#1', step: 'disk', leaves: 'a slot that the TPM opens' },
    next: "tries it, and removes the factory's key",
  },
  {
    ...{ point: 'disk:after-factory-key#1', step: 'disk', leaves: 'the secured disk' },
    next: 'finds nothing to do',
  },
  {
    ...{
      point: 'disk:after-old-slot#1',
      step: 'disk',
      leaves: 'after a rotation, a note of a slot that is empty already',
    },
    next: 'forgets it',
  },
];
