import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { removeDurableFile } from '../../src/core/durable-file.ts';
import type { Caretaker } from '../../src/laptop/system/caretaker.ts';
import { at, runToolChecked, type LinuxSystem } from './system.ts';

export class LinuxCaretaker implements Caretaker {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async restrict(file: string, mode: number): Promise<void> {
    // On the handle: between a look at the path and a change of it, another file could take its place.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(at(this.#system, file), flags);
    try {
      const found = await handle.stat();
      // First the mode: its owner could read it until it is root's.
      await handle.chmod(found.mode & mode);
      if (found.uid !== 0) await handle.chown(0, 0);
    } finally {
      await handle.close();
    }
  }

  remove(file: string): Promise<void> {
    return removeDurableFile(at(this.#system, file));
  }

  enable(unit: string): Promise<void> {
    return this.#systemctl(['enable', unit]);
  }

  async restart(unit: string): Promise<void> {
    await this.#systemctl(['reset-failed', unit]).catch(() => undefined);
    await this.#systemctl(['restart', unit]);
  }

  async #systemctl(args: readonly string[]): Promise<void> {
    await runToolChecked(this.#system, { name: 'systemctl', args, timeoutMs: 60_000 }, 'program-failed');
  }
}
