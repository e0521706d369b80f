import { open, readFile, unlink } from 'node:fs/promises';

import { isMissing, writeDurableFile } from '../../core/durable-file.ts';

/** A process that surely is the one meant: process ids are reused, but not with the same start time. */
export interface ProcessMark {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly started: string;
}

/** @returns undefined when there is no such process */
export async function markOf(pid: number): Promise<ProcessMark | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses and may hold anything, also spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    return started === undefined || state === 'Z' || state === 'X' ? undefined : { pid, started };
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) return undefined;
    throw error;
  }
}

export async function isAlive(mark: ProcessMark): Promise<boolean> {
  return (await markOf(mark.pid))?.started === mark.started;
}

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
  try {
    // Exclusive: of two that start at once, one wins.
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(JSON.stringify(record));
    await handle.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

export async function updateRunRecord(file: string, record: RunRecord): Promise<void> {
  await writeDurableFile(file, JSON.stringify(record), 0o600);
}

export async function removeRunRecord(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}
