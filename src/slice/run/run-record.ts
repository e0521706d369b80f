import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';

import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { sameProcess, type ProcessMark } from '../../programs/process-mark.ts';

/** What a running slice records about itself, for `status`, `down` and the run after a kill. */
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

/**
 * Claims the place of the running slice.
 * @returns false when another process has it
 */
export async function createRunRecord(file: string, record: RunRecord): Promise<boolean> {
  const temporary = besides(file);
  try {
    // Written completely before it gets its name, so that nobody reads half of it; and when two start at once, one
    // wins.
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
 * Removes the record of one process (undefined: one that cannot be read), but never that of another which took the
 * place in the meantime.
 * @returns false when another process has the place
 */
export async function removeRunRecord(file: string, of: ProcessMark | undefined): Promise<boolean> {
  if (!sameProcess((await readRunRecord(file))?.slice, of)) return false;
  const taken = besides(file);
  try {
    // Reading and removing are two steps, so the record is checked again after it was moved to where nobody else can
    // change it.
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
