import { constants } from 'node:fs';
import { copyFile, open, rm } from 'node:fs/promises';

import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';

/** bbolt's meta page: a header of 16 bytes, then this number (little-endian), the version, and the size of a page. */
const MAGIC = 0xed_0c_da_ed;
const MAGIC_AT = 16;
const PAGE_SIZE_AT = 24;
const ATTEMPTS = 100;

/**
 * Copies the database of a step-ca that may be running. step-ca holds it locked, but bbolt never overwrites a page that its last commit refers to,
 * and ends each commit by writing one of the two meta pages at the beginning: if these two are the same before and after, no commit ended
 * meanwhile, and the copy is the state of the last one (bbolt, db.go: `meta`, `tx.go`: `writeMeta`).
 * @throws KiwiError `slice-damaged` when it is no such database; `slice-part-failed` when it changes all the time
 */
export async function copyStepCaDatabase(from: string, to: string, clock: Clock, copy = copyFile): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = await metaPages(from);
    await copy(from, to, constants.COPYFILE_EXCL);
    if (before.equals(await metaPages(from)) && before.equals(await metaPages(to))) return;
    await rm(to);
    await clock.sleep(20 + attempt);
  }
  throw new KiwiError('slice-part-failed', {
    detail: 'step-ca: its database changes too often to be copied; try again later',
  });
}

async function metaPages(file: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const head = Buffer.alloc(PAGE_SIZE_AT + 4);
    await handle.read(head, 0, head.length, 0);
    const pageSize = head.readUInt32LE(PAGE_SIZE_AT);
    if (head.readUInt32LE(MAGIC_AT) !== MAGIC || pageSize < 512 || pageSize > 1 << 17) {
      throw new KiwiError('slice-damaged', { detail: `${file} is no database of step-ca` });
    }
    const pages = Buffer.alloc(2 * pageSize);
    await handle.read(pages, 0, pages.length, 0);
    return pages;
  } finally {
    await handle.close();
  }
}
