import { readFile } from 'node:fs/promises';

import type { Authority, Caller } from '../../src/laptop/system/authority.ts';
import { at, findProgram, type LinuxSystem } from './system.ts';

/** A person may be asked for a password. */
const ASKING_MS = 5 * 60_000;

/** polkit, by pkcheck(1). */
export class PolkitAuthority implements Authority {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async allows({ pid, uid }: Caller, permission: string, signal?: AbortSignal): Promise<boolean> {
    const program = await findProgram(this.#system, 'pkcheck');
    const since = await this.#startOf(pid);
    if (program === undefined || since === undefined) return false;
    // The user id is that of the connection: a process that has become somebody else since is still judged by it. The start time
    // tells the process from a later one with the same id.
    const subject = ['--process', `${pid},${since},${uid}`];
    const args = ['--action-id', permission, ...subject, '--allow-user-interaction'];
    const { code } = await this.#system.run({
      ...{ program, args, timeoutMs: ASKING_MS },
      ...(signal === undefined ? {} : { signal }),
    });
    return code === 0;
  }

  /** Clock ticks since boot: field 22 of /proc/PID/stat (proc(5)). The name in field 2 may hold blanks and parentheses. */
  async #startOf(pid: number): Promise<string | undefined> {
    const text = await readFile(at(this.#system, `/proc/${pid}/stat`), 'latin1').catch(() => '');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const start = fields[19];
    return start !== undefined && /^\d{1,20}$/.test(start) ? start : undefined;
  }
}
