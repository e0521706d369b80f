import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';

import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { sameProcess, type ProcessMark } from '../../programs/process-mark.ts';

/** What a running slice writes down of itself, for `status`, `down` and the run after a kill. */
export interface RunRecord {
  readonly slice: ProcessMark;
  readonly stepCa?: ProcessMark;
}

export async function readRunRecord(file: string): Promise<RunRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as RunRecord;
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Takes the place of the running slice. @returns false when another has it */
export async function createRunRecord(file: string, record: RunRecord): Promise<boolean> {
  const temporary = besides(file);
  try {
    // Whole before it has its name, so that nobody ever reads half of it; and of two that start at once, one wins.
    await writeFile(temporary, JSON.stringify(record), { mode: 0o600, flag: 'wx' });
    await link(temporary, file);
    return true;
  } catch (error) {
    if (isThere(error)) return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

export async function updateRunRecord(file: string, record: RunRecord): Promise<void> {
  await writeDurableFile(file, JSON.stringify(record), 0o600);
}

/**
 * Removes the record of one process (undefined: one that cannot be read), and never that of another which took the place meanwhile.
 * @returns false when the place is another's
 */
export async function removeRunRecord(file: string, of: ProcessMark | undefined): Promise<boolean> {
  if (!sameProcess((await readRunRecord(file))?.slice, of)) return false;
  const taken = besides(file);
  try {
    // Reading and removing are two steps: what is removed is looked at once more, where nobody else can change it.
    await rename(file, taken);
  } catch (error) {
    if (isMissing(error)) return true;
    throw error;
  }
  const ours = sameProcess((await readRunRecord(taken))?.slice, of);
  if (!ours) await link(taken, file).catch(() => undefined);
  await rm(taken, { force: true });
  return ours;
}

const besides = (file: string): string => `${file}.${randomBytes(6).toString('hex')}.tmp`;
const isThere = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EEXIST';
