import { removeDurableFile } from '../../src/core/durable-file.ts';
import type { Caretaker } from '../../src/laptop/system/caretaker.ts';
import { restrictFile } from '../unix/files.ts';
import { at, runToolChecked, type LinuxSystem } from './system.ts';

export class LinuxCaretaker implements Caretaker {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  restrict(file: string, mode: number): Promise<void> {
    return restrictFile(at(this.#system, file), mode);
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
