import { ignoreMissing, removeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import type { Caretaker } from '../../src/laptop/system/caretaker.ts';
import { securityOf } from './folders.ts';
import { askHelper } from './helper.ts';
import { renderSecurity } from './sddl.ts';
import { startAtBoot, startService, stopService } from './services.ts';
import type { WindowsSystem } from './system.ts';

export class WindowsCaretaker implements Caretaker {
  readonly #system: WindowsSystem;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  async restrict(file: string, mode: number): Promise<void> {
    const found = await securityOf(this.#system, file);
    if (found === undefined || found.kind === 'other') {
      throw new KiwiError('access-denied', {
        detail: `${file}: ${found === undefined ? 'it is not there' : 'a link'}`,
      });
    }
    // The helper looks again at what it has opened, so that a link that was put there meanwhile is refused too.
    await askHelper(this.#system, ['secure-file', file, renderSecurity(found.kind, mode)]);
  }

  async remove(file: string): Promise<void> {
    await removeDurableFile(file).catch(ignoreMissing);
  }

  enable(unit: string): Promise<void> {
    return startAtBoot(this.#system, unit);
  }

  async restart(unit: string): Promise<void> {
    await stopService(this.#system, unit);
    await startService(this.#system, unit);
  }
}
