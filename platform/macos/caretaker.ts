import { access } from 'node:fs/promises';
import path from 'node:path';

import { removeDurableFile } from '../../src/core/durable-file.ts';
import type { Caretaker } from '../../src/laptop/system/caretaker.ts';
import { restrictFile } from '../unix/files.ts';
import { loadJob, restartJob } from './launchd.ts';
import { at, type MacSystem } from './system.ts';

export class MacCaretaker implements Caretaker {
  readonly #system: MacSystem;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  restrict(file: string, mode: number): Promise<void> {
    return restrictFile(at(this.#system, file), mode);
  }

  async remove(file: string): Promise<void> {
    const place = at(this.#system, file);
    const folder = await access(path.dirname(place)).then(
      () => true,
      () => false,
    );
    if (folder) await removeDurableFile(place);
  }

  enable(unit: string): Promise<void> {
    return loadJob(this.#system, unit);
  }

  restart(unit: string): Promise<void> {
    return restartJob(this.#system, unit);
  }
}
