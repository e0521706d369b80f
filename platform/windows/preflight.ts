import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import os from 'node:os';

import { KiwiError } from '../../src/core/errors.ts';
import type { Preflight } from '../../src/laptop/system/preflight.ts';
import { makeFolders } from './folders.ts';
import { at, missing, type ProgramName, type WindowsSystem } from './system.ts';
import { whoAmI } from './who-am-i.ts';

/** The first build of Windows 11. */
const FIRST_BUILD = 22_000;
const MINIMUM_FREE_BYTES = 500e6;
/** A clock outside of these was never set. */
const EARLIEST = Date.UTC(2026, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);

/** What an enrollment runs, and what brings it. */
export const TOOLS: readonly (readonly [ProgramName, string])[] = [
  ['sc', 'Windows'],
  ['reg', 'Windows'],
  ['netsh', 'Windows'],
  ['msiexec', 'Windows'],
  ['wireguard', 'WireGuard for Windows'],
  ['wg', 'WireGuard for Windows'],
];

export class WindowsPreflight implements Preflight {
  readonly #system: WindowsSystem;
  readonly #release: () => string;

  /** @param release of the kernel: `10.0.22631` */
  constructor(system: WindowsSystem, release: () => string = os.release) {
    this.#system = system;
    this.#release = release;
  }

  async check(): Promise<void> {
    const { administrator, system } = await whoAmI(this.#system);
    if (!administrator && !system) {
      throw new KiwiError('not-root', {
        hint: 'Run it again in a terminal that was opened with "Run as administrator".',
      });
    }
    this.#checkVersion();
    await this.#checkTools();
    await this.#checkDisk();
    await makeFolders(this.#system);
    const now = this.#system.clock.now();
    if (now < EARLIEST || now > LATEST) {
      throw new KiwiError('clock-unset', { detail: `it shows ${new Date(now).toISOString()}` });
    }
  }

  #checkVersion(): void {
    const release = this.#release();
    const [major = 0, , build = 0] = release.split('.').map(Number);
    if (major >= 10 && build >= FIRST_BUILD) return;
    throw new KiwiError('unsupported-system', { detail: `Windows ${release}; Windows 11 is 10.0.${FIRST_BUILD}` });
  }

  async #checkTools(): Promise<void> {
    const absent = new Set(
      await missing(
        this.#system,
        TOOLS.map(([name]) => name),
      ),
    );
    const named = TOOLS.filter(([name]) => absent.has(name)).map(([name, from]) => `${name}.exe (${from})`);
    if (named.length > 0) throw new KiwiError('tool-missing', { detail: named.join(', ') });
  }

  async #checkDisk(): Promise<void> {
    const place = at(this.#system, 'ProgramData');
    await access(place, constants.W_OK).catch((error: unknown) => {
      throw new KiwiError('read-only-file-system', { detail: place, cause: error });
    });
    const { bavail, bsize } = await statfs(place);
    if (bavail * bsize < MINIMUM_FREE_BYTES) {
      throw new KiwiError('disk-full', {
        detail: `${Math.floor((bavail * bsize) / 1e6)} MB free on ${this.#system.root}`,
      });
    }
  }
}
