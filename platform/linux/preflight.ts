import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';

import { isMissing } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import type { Preflight } from '../../src/laptop/system/preflight.ts';
import { at, findProgram, type LinuxSystem } from './system.ts';
import { checkTrustStore } from './trust-layout.ts';
import { kernelHasWireguard, userspaceWireguard } from './tunnel/wireguard-support.ts';

const MINIMUM_FREE_BYTES = 500 * 1024 * 1024;
/**
 * Earlier than anything of ours: such a clock has lost its battery. Smaller errors show in the comparison with the slice's
 * clock.
 */
const EARLIEST = Date.UTC(2026, 0, 1);
const LATEST = Date.UTC(2060, 0, 1);

/** The programs that an enrollment needs, and runs while it lives, each with the Debian package that provides it. */
export const TOOLS: readonly (readonly [program: string, package_: string])[] = [
  ['systemctl', 'systemd'],
  ['ip', 'iproute2'],
  ['wg', 'wireguard-tools'],
  ['wg-quick', 'wireguard-tools'],
  ['ping', 'iputils-ping'],
];

/** What generates the bundle of trusted roots; one of them is enough. */
const TRUST_TOOLS = ['update-ca-certificates', 'update-ca-trust', 'trust'] as const;

/** Folders that the enrollment writes to; each may be a file system of its own. */
const WRITTEN = ['/', '/etc', '/var', '/opt'] as const;

export class LinuxPreflight implements Preflight {
  readonly #system: LinuxSystem;
  readonly #isRoot: () => boolean;

  constructor(system: LinuxSystem, isRoot: () => boolean = () => process.geteuid?.() === 0) {
    this.#system = system;
    this.#isRoot = isRoot;
  }

  async check(): Promise<void> {
    if (!this.#isRoot()) throw new KiwiError('not-root');
    await this.#checkSystem();
    await this.#checkTools();
    for (const folder of WRITTEN) await this.#checkDisk(folder);
    await checkTrustStore(this.#system);
    const now = this.#system.clock.now();
    if (now < EARLIEST || now > LATEST) {
      throw new KiwiError('clock-unset', { detail: `it shows ${new Date(now).toISOString()}` });
    }
  }

  async #checkSystem(): Promise<void> {
    // The same test as sd_booted(3).
    await access(at(this.#system, '/run/systemd/system')).catch((error: unknown) => {
      throw new KiwiError('unsupported-system', { detail: 'systemd is not running', cause: error });
    });
    if ((await findProgram(this.#system, 'dpkg')) === undefined) {
      throw new KiwiError('unsupported-system', {
        detail: 'the Fleet agent is a Debian package, and dpkg is not installed',
      });
    }
  }

  async #checkTools(): Promise<void> {
    const missing: string[] = [];
    for (const [program, package_] of TOOLS) {
      if ((await findProgram(this.#system, program)) === undefined) missing.push(`${program} (package ${package_})`);
    }
    const trust = await Promise.all(TRUST_TOOLS.map((program) => findProgram(this.#system, program)));
    if (!trust.some((program) => program !== undefined))
      missing.push('update-ca-certificates (package ca-certificates)');
    const userspace = await userspaceWireguard(this.#system);
    if (userspace === undefined && !(await kernelHasWireguard(this.#system))) {
      missing.push('wireguard-go (package wireguard-go; this kernel has no WireGuard)');
    }
    if (missing.length > 0) throw new KiwiError('tool-missing', { detail: missing.join(', ') });
  }

  async #checkDisk(folder: string): Promise<void> {
    const place = at(this.#system, folder);
    const present = await stat(place).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (present === undefined) return;
    // access(2) fails with EROFS even for root; Node's statfs does not report a read-only mount.
    await access(place, constants.W_OK).catch((error: unknown) => {
      throw new KiwiError('read-only-file-system', { detail: folder, cause: error });
    });
    const { bavail, bsize } = await statfs(place);
    if (bavail * bsize < MINIMUM_FREE_BYTES) {
      throw new KiwiError('disk-full', { detail: `${Math.floor((bavail * bsize) / 1e6)} MB free on ${folder}` });
    }
  }
}
