import { readFile } from 'node:fs/promises';

import { isMissing } from '../core/durable-file.ts';
import { systemErrorCode } from '../core/system-error-code.ts';

/** Identifies a process with certainty: process ids are reused, but not with the same start time in the same boot. */
export interface ProcessMark {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly started: string;
  /** After every boot, early processes start at the same tick with the same id. */
  readonly boot: string;
}

/** Identifies the current boot of the machine: processes recorded in an earlier boot no longer exist. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
}

/** @returns undefined when there is no such process */
export async function markOf(pid: number): Promise<ProcessMark | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses, which may contain anything, including spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    return started === undefined || state === 'Z' || state === 'X' ? undefined : { pid, started, boot: await bootId() };
  } catch (error) {
    if (isMissing(error) || systemErrorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

export async function isAlive(mark: ProcessMark): Promise<boolean> {
  const now = await markOf(mark.pid);
  return now !== undefined && sameProcess(now, mark);
}

/** True also when both are unknown. */
export function sameProcess(a: ProcessMark | undefined, b: ProcessMark | undefined): boolean {
  return a?.pid === b?.pid && a?.started === b?.started && a?.boot === b?.boot;
}
