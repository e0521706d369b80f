import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { LuksDisk } from '../../../platform/linux/disk/luks-disk.ts';
import { linuxSystem, type LinuxSystem } from '../../../platform/linux/system.ts';
import { MINIMAL_ENVIRONMENT } from '../../../src/programs/minimal-environment.ts';
import { runChecked, runProgram, type RunRequest, type RunResult } from '../../../src/programs/run-program.ts';

/** Debian's own, installed or unpacked by installers/prepare-machine.sh. */
const CRYPTSETUP = [
  '/usr/sbin/cryptsetup',
  path.resolve(import.meta.dirname, '../../../.cache/cryptsetup/usr/sbin/cryptsetup'),
];
/** Where its libraries are, if it was unpacked. */
const ENV = {
  ...MINIMAL_ENVIRONMENT,
  LD_LIBRARY_PATH: path.resolve(import.meta.dirname, '../../../.cache/cryptsetup/lib'),
};

export const FACTORY_KEY = 'the key that is on every laptop of the image';
const DEVICE = '/dev/disk/by-partlabel/kiwi-data';

/** A LUKS2 volume in a file, and the real cryptsetup for it. Nothing maps it, which takes the kernel's dm-crypt. */
export class LuksVolume {
  readonly disk: LuksDisk;
  readonly root: string;
  /** Every argument that any program was given. */
  readonly seen: string[] = [];
  /** The power goes when the re-encryption has begun. */
  cut = false;
  readonly #cryptsetup: string;

  private constructor(root: string, cryptsetup: string) {
    this.root = root;
    this.#cryptsetup = cryptsetup;
    const system: LinuxSystem = { ...linuxSystem, root, run: (request) => this.#run(request) };
    this.disk = new LuksDisk(system);
  }

  static async make(volumeKey: 'shared' | 'own' = 'own', label: readonly string[] = []): Promise<LuksVolume> {
    const cryptsetup = CRYPTSETUP.find((file) => existsSync(file));
    if (cryptsetup === undefined) throw new Error('no cryptsetup: installers/prepare-machine.sh unpacks one');
    const root = await mkdtemp(path.join(tmpdir(), 'kiwi-luks-'));
    const volume = new LuksVolume(root, cryptsetup);
    for (const folder of ['etc/kiwistack', path.dirname(DEVICE), 'usr/sbin', 'usr/bin']) {
      await mkdir(path.join(root, folder), { recursive: true });
    }
    for (const tool of ['usr/sbin/cryptsetup', 'usr/bin/systemctl', 'usr/bin/systemd-run']) {
      await writeFile(path.join(root, tool), '', { mode: 0o755 });
    }
    await writeFile(volume.at('/etc/kiwistack/factory-disk.json'), JSON.stringify({ device: DEVICE, volumeKey }));
    await writeFile(volume.at('/etc/kiwistack/factory.key'), FACTORY_KEY, { mode: 0o600 });
    await writeFile(volume.device, '');
    await truncate(volume.device, 32 << 20);
    const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
    const key = volume.at('/etc/kiwistack/factory.key');
    await volume.cryptsetup('luksFormat', '--batch-mode', '--type', 'luks2', ...quick, ...label, volume.device, key);
    return volume;
  }

  get device(): string {
    return this.at(DEVICE);
  }

  at(file: string): string {
    return path.join(this.root, file);
  }

  /** Runs it past our code. */
  async cryptsetup(...args: string[]): Promise<string> {
    return (await runChecked({ program: this.#cryptsetup, args, env: ENV, timeoutMs: 120_000 })).stdout.toString();
  }

  /** The header, as the tool shows it to people. */
  dump(): Promise<string> {
    return this.cryptsetup('luksDump', this.device);
  }

  async opens(text: string, slot?: number): Promise<boolean> {
    const at = slot === undefined ? [] : ['--key-slot', String(slot)];
    const args = ['open', '--test-passphrase', '--disable-external-tokens', ...at, '--key-file', '-', this.device];
    return (await runProgram({ program: this.#cryptsetup, args, env: ENV, input: Buffer.from(text) })).code === 0;
  }

  remove(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }

  #run(request: RunRequest): Promise<RunResult> {
    this.seen.push(...request.args, JSON.stringify(request.env ?? {}));
    if (request.program.endsWith('/cryptsetup')) return runProgram({ ...request, env: ENV, program: this.#cryptsetup });
    // There is no systemd here: a unit has ended before anybody asks for it. What is in a file is not in use, which has to be said.
    const at = request.args.indexOf('reencrypt');
    if (request.program.endsWith('/systemd-run') && at > 0) {
      const args = ['reencrypt', this.cut ? '--init-only' : '--force-offline-reencrypt', ...request.args.slice(at + 1)];
      return runProgram({ program: this.#cryptsetup, args, env: ENV, timeoutMs: 120_000 });
    }
    return Promise.resolve({ code: 3, signal: null, stdout: Buffer.from('inactive\n'), stderr: Buffer.alloc(0) });
  }
}
