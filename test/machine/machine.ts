import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { AgentChannel, type GuestProcess } from './agent-channel.ts';
import { digest, readManifest, type Digest } from './digest.ts';
import { provideImage, type Image } from './image/build-image.ts';
import { runTool, tools } from './image/tools.ts';
import type { ExtraDisk, Firmware, NetworkPlug, Smbios } from './qemu-arguments.ts';
import { startQemu, type RunningQemu } from './start-qemu.ts';

export interface MachineSettings {
  /**
   * A folder for this machine alone: disk, TPM, console. What an earlier machine left there is used again, as by the
   * same laptop.
   */
  readonly dir: string;
  readonly name: string;
  /** Missing values are derived from the name. */
  readonly smbios?: Partial<Smbios>;
  /** Default true. */
  readonly tpm?: boolean;
  /** The network cable; without it the machine gets an address but reaches nobody. */
  readonly network?: NetworkPlug;
  readonly extraDisks?: readonly ExtraDisk[];
  /** Starts the disk that is in `dir` already, which has to bring the hand of the tests, as a laptop starts. */
  readonly firmware?: Firmware;
  /** Connects the console to this terminal; the machine can be used as usual. */
  readonly terminal?: boolean;
}

export interface GuestRunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default 120 s; afterwards the program is killed and `run` throws. */
  readonly timeoutMs?: number;
}

export interface GuestRunResult {
  /** The exit code; 128 + the signal's number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
  LANG: 'C.UTF-8',
} as const;

/** How long the machine may take until its agent answers: about 8 s when it has a core to itself. */
const BOOT_MS = 600_000;

/** A virtual laptop with its own kernel, systemd, TPM, firmware identity and disk. */
export class Machine {
  /** The machines that are on, for the hook that ends a suite. */
  static readonly running = new Set<Machine>();
  readonly name: string;
  readonly dir: string;
  readonly smbios: Smbios;
  readonly #settings: MachineSettings;
  readonly #boot: Image | Firmware;
  #qemu: RunningQemu | undefined;
  #channel: AgentChannel | undefined;

  private constructor(settings: MachineSettings, boot: Image | Firmware) {
    this.name = settings.name;
    this.dir = settings.dir;
    this.smbios = { ...defaultSmbios(settings.name), ...settings.smbios };
    this.#settings = settings;
    this.#boot = boot;
  }

  /** A machine that is on; its disk is the delivered one unless `dir` already has one. */
  static async boot(settings: MachineSettings): Promise<Machine> {
    const machine = await Machine.prepare(settings);
    await machine.boot();
    return machine;
  }

  /** The same, but still off. */
  static async prepare(settings: MachineSettings): Promise<Machine> {
    const say = (what: string): void => void process.stderr.write(`machine: ${what}\n`);
    const machine = new Machine(settings, settings.firmware ?? (await provideImage(say)));
    await mkdir(settings.dir, { recursive: true, mode: 0o700 });
    if ('disk' in machine.#boot && !existsSync(machine.disk)) {
      const base = ['-b', machine.#boot.disk, '-F', 'raw'];
      await runTool(tools.qemuImg[0], ['create', '-q', '-f', 'qcow2', ...base, machine.disk]);
    }
    return machine;
  }

  /** Its own disk: qcow2 over the delivered one. It may be copied while the machine is off. */
  get disk(): string {
    return path.join(this.dir, 'disk.qcow2');
  }

  get on(): boolean {
    return this.#qemu !== undefined;
  }

  /**
   * Switches it on, and resolves when systemd and NetworkManager have finished starting; with `firmware`, as soon as it answers: its first
   * start ends when somebody else has done his part.
   */
  async boot(): Promise<void> {
    if (this.#qemu !== undefined) throw new TypeError(`${this.name} is on`);
    const { tpm = true, network, extraDisks = [], terminal = false } = this.#settings;
    const qemu = await startQemu({
      boot: this.#boot,
      dir: this.dir,
      smbios: this.smbios,
      tpm,
      network,
      extraDisks,
      terminal,
    });
    const channel = new AgentChannel(qemu.agent);
    this.#qemu = qemu;
    this.#channel = channel;
    Machine.running.add(this);
    void qemu.ended.then(() => {
      if (this.#qemu === qemu) this.#forget();
    });
    const late = AbortSignal.timeout(BOOT_MS);
    const lost = qemu.ended.then(() => Promise.reject(new Error('it went off while it started')));
    try {
      await Promise.race([
        channel.hello(),
        lost,
        once(late, 'abort').then(() => Promise.reject(new Error('it did not start in time'))),
      ]);
      if ('code' in this.#boot) return;
      // The suites judge "degraded" themselves, with better messages.
      await this.run(['/usr/bin/systemctl', 'is-system-running', '--wait'], { timeoutMs: BOOT_MS });
      await this.run(['/usr/bin/nm-online', '--wait-for-startup', '--quiet', '--timeout=30']);
    } catch (error) {
      await this.powerCut();
      throw new Error(`${this.name} does not boot; its console is in ${this.consoleFile}\n${await this.console(30)}`, {
        cause: error,
      });
    }
  }

  /** Runs a program as root and waits for its end. A program that fails is a result, not an error. */
  async run(argv: readonly string[], options: GuestRunOptions = {}): Promise<GuestRunResult> {
    const { input, timeoutMs = 900_000 } = options;
    const guest = this.spawn(argv, options);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    guest.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    guest.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    guest.stdin.end(input);
    const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString('utf8');
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      guest.kill(9);
      const said = `${text(stdout)}${text(stderr)}`;
      timeout.reject(new Error(`${argv.join(' ')} did not end within ${timeoutMs} ms\n${said}`));
    }, timeoutMs);
    try {
      const code = await Promise.race([guest.ended, timeout.promise]);
      return { code, stdout: text(stdout), stderr: text(stderr) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Starts a program as root; its output arrives while it runs. */
  spawn(argv: readonly string[], options: Omit<GuestRunOptions, 'input' | 'timeoutMs'> = {}): GuestProcess {
    return this.#agent().start({ argv, env: { ...environment, ...options.env }, cwd: options.cwd ?? '/root' });
  }

  /** Connects to a port on the machine's 127.0.0.1 or to a socket in its file system, without using its network. */
  connect(where: number | string): Promise<Duplex> {
    return this.#agent().connect(where);
  }

  /**
   * Copies a file from the host to the machine, readable only by root unless `mode` says otherwise; the folder is
   * created.
   */
  async copyIn(from: string, to: string, mode = '600'): Promise<void> {
    const script = 'umask 077; mkdir -p "$(dirname "$1")"; cat >"$1"; chmod "$2" "$1"';
    const guest = this.spawn(['/bin/sh', '-ec', script, 'copy-in', to, mode]);
    await pipeline(createReadStream(from), guest.stdin);
    if ((await guest.ended) !== 0) throw new Error(`${to} could not be written in ${this.name}`);
  }

  /** Copies a file out of the machine. */
  async copyOut(from: string, to: string): Promise<void> {
    const guest = this.spawn(['/bin/cat', from]);
    guest.stdin.end();
    const [code] = await Promise.all([guest.ended, pipeline(guest.stdout, createWriteStream(to, { mode: 0o600 }))]);
    if (code !== 0) throw new Error(`${from} could not be read in ${this.name}`);
  }

  /** Simulates a power cut: what the machine had not flushed to its disk is lost. */
  async powerCut(): Promise<void> {
    await this.#qemu?.kill();
    this.#forget();
  }

  /** Shuts it down in an orderly way. */
  async shutDown(timeoutMs = 600_000): Promise<void> {
    if (this.#qemu === undefined) return;
    const { ended } = this.#qemu;
    this.run(['/usr/bin/systemctl', 'poweroff'], { timeoutMs }).catch(() => undefined);
    const timer = Promise.withResolvers<never>();
    const late = setTimeout(() => timer.reject(new Error(`${this.name} does not shut down`)), timeoutMs);
    try {
      await Promise.race([ended, timer.promise]);
    } finally {
      clearTimeout(late);
      await this.powerCut();
    }
  }

  /** Resolves when it is off, for whatever reason. */
  async ended(): Promise<void> {
    await this.#qemu?.ended;
  }

  async reboot(): Promise<void> {
    await this.shutDown();
    await this.boot();
  }

  /** SHA-256 of the files on the delivered disk, by path. */
  manifest(): Promise<ReadonlyMap<string, string>> {
    if (!('manifest' in this.#boot)) throw new TypeError(`${this.name} is not made from the tests' image`);
    return readManifest(this.#boot.manifest);
  }

  /** Everything about the machine that can be compared; see digest.ts. */
  digest(): Promise<Digest> {
    return digest(this);
  }

  get consoleFile(): string {
    return path.join(this.dir, 'console.log');
  }

  /** The last lines that the kernel and systemd printed, over all its boots. */
  async console(lines = 200): Promise<string> {
    const text = await readFile(this.consoleFile, 'utf8').catch(() => '');
    return text.split('\n').slice(-lines).join('\n');
  }

  #forget(): void {
    this.#qemu = this.#channel = undefined;
    Machine.running.delete(this);
  }

  #agent(): AgentChannel {
    if (this.#channel === undefined) throw new Error(`${this.name} is off`);
    return this.#channel;
  }
}

/** A business laptop whose serial numbers are derived from its name, so that no two are the same machine. */
function defaultSmbios(name: string): Smbios {
  const hex = createHash('sha256').update(name).digest('hex');
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  return { manufacturer: 'LENOVO', product: '21HMS0AB00', serial: `PF${hex.slice(32, 38).toUpperCase()}`, uuid };
}
