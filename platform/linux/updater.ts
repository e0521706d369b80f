import { ignoreMissing } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import type { InstalledPackages, Updater } from '../../src/laptop/system/updater.ts';
import { PATHS } from './paths.ts';
import { at, findProgram, runTool, type LinuxSystem } from './system.ts';

const PACKAGES = ['kiwistack-enroll', 'kiwistack-enroll-desktop'] as const;
const MAX_KEYS = 16 * 1024;
const INSTALL_MS = 900_000;
/** Unattended upgrades may hold the lock for minutes. */
const LOCK_SECONDS = 120;
/** Nobody is there to answer, what an administrator has set stays, and no version goes back. */
const APT = [
  ...['-q', '-y', '--no-install-recommends', '--no-remove', '-o', `DPkg::Lock::Timeout=${LOCK_SECONDS}`],
  ...['-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold'],
];

/** Updates our own Debian packages with apt, which refuses what does not fit this laptop before it changes anything. */
export class DebianUpdater implements Updater {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async releaseKeys(): Promise<string | undefined> {
    const bytes = await readCappedFile(at(this.#system, PATHS.releaseKeys), { maxBytes: MAX_KEYS }).catch(
      ignoreMissing,
    );
    return bytes?.toString('latin1');
  }

  async installed(): Promise<InstalledPackages> {
    const versions: Partial<Record<(typeof PACKAGES)[number], string>> = {};
    if ((await findProgram(this.#system, 'dpkg-query')) !== undefined) {
      for (const name of PACKAGES) {
        const args = ['--show', '--showformat=${Status} ${Version}', name];
        const { code, stdout } = await runTool(this.#system, { name: 'dpkg-query', args });
        const version = /^install ok installed (\S+)$/u.exec(stdout.toString().trim())?.[1];
        if (code === 0 && version !== undefined) versions[name] = version;
      }
    }
    return { system: 'linux', architecture: process.arch, versions };
  }

  async install({ version, packages, waiting }: Parameters<Updater['install']>[0]): Promise<void> {
    for (const { name, file } of packages) await this.#check(name, version, file);
    const files = packages.map(({ file }) => file);
    // What apt would do, without doing it: a dependency that cannot be had is found here.
    await this.#apt(['--simulate', 'install', ...files]);
    waiting?.(`the package manager, which installs version ${version}`);
    await this.#apt(['install', ...files]);
  }

  async #check(name: string, version: string, file: string): Promise<void> {
    const args = ['--show', '--showformat=${Package} ${Version}', file];
    const { code, stdout } = await runTool(this.#system, { name: 'dpkg-deb', args });
    const found = stdout.toString().trim();
    if (code === 0 && found === `${name} ${version}`) return;
    const what = code === 0 ? found : 'no package of this system';
    throw new KiwiError('update-unfit', { detail: `it is ${what} instead of ${name} ${version}` });
  }

  async #apt(args: readonly string[]): Promise<void> {
    const request = { name: 'apt-get', args: [...APT, ...args], timeoutMs: INSTALL_MS };
    const { code, stdout, stderr } = await runTool(this.#system, request);
    if (code === 0) return;
    const said = `${stdout.toString()}\n${stderr.toString()}`.trim();
    if (/No space left on device/u.test(said)) throw new KiwiError('disk-full', { detail: said.slice(-500) });
    const locked = /Could not get lock|Unable to acquire the dpkg frontend lock/u.test(said);
    throw new KiwiError(locked ? 'package-manager-busy' : 'update-not-installed', { detail: said.slice(-500) });
  }
}
