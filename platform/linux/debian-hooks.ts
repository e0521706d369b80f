import { access, constants, readdir } from 'node:fs/promises';

import { ignoreMissing } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { at, type LinuxSystem } from './system.ts';

const FOLDER = '/etc/ca-certificates/update.d';

/** Java's takes five seconds; a loaded machine several times as long. */
const PATIENCE_MS = 60_000;
/** An undo has to come to its end. */
const UNDO_PATIENCE_MS = 20_000;

/**
 * The hooks of Debian's update-ca-certificates(8), through which other programs (Java, Mono) hear of added and removed roots.
 * That script runs them without a time limit, so that one that hangs holds up everything; here each is a program of its own,
 * which can be stopped. Its undo does not wait for it a second time.
 */
export class DebianHooks {
  readonly #system: LinuxSystem;
  readonly #hanging = new Set<string>();

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  /** As run-parts(8) chooses them: executable, with a name of letters, digits, `_` and `-`. */
  async list(): Promise<string[]> {
    const names = (await readdir(at(this.#system, FOLDER)).catch(ignoreMissing)) ?? [];
    const hooks: string[] = [];
    for (const name of names.filter((each) => /^[A-Za-z0-9_-]+$/.test(each)).toSorted()) {
      const hook = `${FOLDER}/${name}`;
      const executable = access(at(this.#system, hook), constants.X_OK).then(
        () => true,
        () => false,
      );
      if (await executable) hooks.push(hook);
    }
    return hooks;
  }

  /**
   * @param changes a line for each link in /etc/ssl/certs, with `+` or `-`, as the script passes them
   * @throws KiwiError `trust-store-failed` when one did not finish; the signal's AbortError
   */
  async tellAdded(changes: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    for (const hook of await this.list()) {
      if (!(await this.#tell(hook, changes, PATIENCE_MS, signal))) {
        throw new KiwiError('trust-store-failed', {
          detail: `${hook} did not finish within ${PATIENCE_MS / 1000} s`,
          hint: 'Repair or remove this program, which hears of new roots, and run the command again.',
        });
      }
    }
  }

  /** Tells as many as possible. @throws KiwiError `trust-store-failed` naming those that could not be told */
  async tellRemoved(changes: readonly string[]): Promise<void> {
    const untold: string[] = [];
    for (const hook of await this.list()) {
      const skipped = this.#hanging.has(hook);
      if (skipped || !(await this.#tell(hook, changes, UNDO_PATIENCE_MS, undefined))) untold.push(hook);
    }
    if (untold.length === 0) return;
    throw new KiwiError('trust-store-failed', {
      detail: `the system no longer trusts the root, but ${untold.join(' and ')} did not finish and may still keep it`,
    });
  }

  /** @returns false when it did not finish; its exit code does not matter, as to the script */
  async #tell(hook: string, changes: readonly string[], timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const input = Buffer.from(changes.map((line) => `${line}\n`).join(''));
    this.#hanging.add(hook);
    try {
      const options = { program: hook, args: [], input, cwd: '/', timeoutMs };
      await this.#system.run({ ...options, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      if (error instanceof KiwiError && error.code === 'program-failed') return false;
      throw error;
    }
    this.#hanging.delete(hook);
    return true;
  }
}
