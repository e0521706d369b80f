import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';

import { KiwiError } from '../../src/core/errors.ts';
import type { Preflight } from '../../src/laptop/system/preflight.ts';
import { productVersion } from './hardware-reader.ts';
import { PATHS } from './paths.ts';
import { at, findProgram, type MacSystem } from './system.ts';

const FIRST_VERSION = 14;
const MINIMUM_FREE_BYTES = 500e6;
/** A clock outside of these was never set. */
const EARLIEST = Date.UTC(2026, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);

/** What an enrollment runs, and what brings it. */
export const TOOLS: readonly (readonly [string, string])[] = [
  ...['launchctl', 'security', 'installer', 'pkgutil', 'plutil', 'ioreg', 'ifconfig', 'route', 'netstat', 'ping'].map(
    (name) => [name, 'macOS'] as const,
  ),
  ['wg', 'KiwiStack’s package'],
  ['wireguard-go', 'KiwiStack’s package'],
  ['kiwistack-token-host', 'KiwiStack’s package'],
];

/** Folders that an enrollment writes to. The system's own volume is sealed; these are on the other. */
const WRITTEN = ['/Library', '/etc', '/opt', '/var'] as const;

export class MacPreflight implements Preflight {
  readonly #system: MacSystem;
  readonly #isRoot: () => boolean;

  constructor(system: MacSystem, isRoot: () => boolean = () => process.geteuid?.() === 0) {
    this.#system = system;
    this.#isRoot = isRoot;
  }

  async check(): Promise<void> {
    if (!this.#isRoot()) throw new KiwiError('not-root');
    const version = await productVersion(this.#system);
    if (Number(version?.split('.')[0] ?? 0) < FIRST_VERSION) {
      const found = version === undefined ? 'its version cannot be read' : `macOS ${version}`;
      throw new KiwiError('unsupported-system', { detail: `${found}; macOS ${FIRST_VERSION} is needed` });
    }
    const missing = await missingTools(this.#system);
    if (missing.length > 0) throw new KiwiError('tool-missing', { detail: missing.join(', ') });
    for (const folder of WRITTEN) await this.#checkDisk(folder);
    await access(at(this.#system, PATHS.keychain), constants.W_OK).catch((error: unknown) => {
      throw new KiwiError('trust-store-failed', { detail: `${PATHS.keychain} cannot be written`, cause: error });
    });
    const now = this.#system.clock.now();
    if (now < EARLIEST || now > LATEST) {
      throw new KiwiError('clock-unset', { detail: `it shows ${new Date(now).toISOString()}` });
    }
  }

  async #checkDisk(folder: string): Promise<void> {
    const place = at(this.#system, folder);
    // /opt comes with the first package that needs it.
    if (!(await isThere(place))) return;
    await access(place, constants.W_OK).catch((error: unknown) => {
      throw new KiwiError('read-only-file-system', { detail: folder, cause: error });
    });
    const { bavail, bsize } = await statfs(place);
    if (bavail * bsize < MINIMUM_FREE_BYTES) {
      throw new KiwiError('disk-full', { detail: `${Math.floor((bavail * bsize) / 1e6)} MB free on ${folder}` });
    }
  }
}

/** Those that are not there, each with what brings it. */
export async function missingTools(system: MacSystem): Promise<string[]> {
  const found = await Promise.all(TOOLS.map(([name]) => findProgram(system, name)));
  return TOOLS.filter((_, index) => found[index] === undefined).map(([name, from]) => `${name} (${from})`);
}

async function isThere(place: string): Promise<boolean> {
  return access(place).then(
    () => true,
    () => false,
  );
}
