import { KiwiError } from '../../src/core/errors.ts';
import type { Disk } from '../../src/laptop/system/disk.ts';

/** Where nothing is done about the disk: it counts as not encrypted in a way that we know, and no OEM has left a key. */
export function noDisk(system: string): Disk {
  const refuse = (): Promise<never> =>
    Promise.reject(new KiwiError('unsupported-system', { detail: `recovery keys on ${system}` }));
  return {
    factoryKey: () => Promise.resolve(undefined),
    look: () => Promise.resolve(undefined),
    slotOf: refuse,
    opens: refuse,
    slotDigest: refuse,
    addKey: refuse,
    removeSlot: refuse,
    reencrypt: refuse,
    isReencrypting: () => Promise.resolve(false),
    hasTpm: () => Promise.resolve(false),
    useTpm: refuse,
    tpmOpens: refuse,
    removeFactoryKey: refuse,
  };
}
