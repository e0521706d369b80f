import path from 'node:path';

import { Journal, undoWasBegun } from '../pipeline/journal.ts';
import { ENROLLMENT } from './plan.ts';

/** True when an undo of the enrollment was begun and is not finished. */
export async function isHalfRemoved(stateFolder: string): Promise<boolean> {
  return undoWasBegun(await new Journal(path.join(stateFolder, 'journal.jsonl'), ENROLLMENT).read());
}
