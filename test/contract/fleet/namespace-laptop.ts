import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NSENTER = '/usr/bin/nsenter';

export interface Hardware {
  readonly uuid: string;
  readonly serial: string;
  readonly model: string;
}

/** A process started on the laptop, with all it has written until now. */
export interface LaptopProcess {
  readonly log: () => string;
  /** How it ended: the exit code, or null for a signal. */
  readonly ended: Promise<number | null>;
  readonly stop: () => Promise<void>;
}

/**
 * A throw-away laptop: this machine's file system under an overlay in memory, a network of its own with loopback only, a
 * made-up SMBIOS, and a systemctl that only keeps a record. Everything started on it ends with it.
 */
export class NamespaceLaptop {
  readonly #holder: ChildProcess;
  readonly #pid: number;
  readonly #base: string;

  private constructor(holder: ChildProcess, pid: number, base: string) {
    this.#holder = holder;
    this.#pid = pid;
    this.#base = base;
  }

  static async boot(hostname: string, address: string, hardware: Hardware): Promise<NamespaceLaptop> {
    const base = mkdtempSync(join(tmpdir(), 'fleet-laptop-'));
    const holder = spawn(
      '/usr/bin/unshare',
      ['-m', '-n', '-u', '-p', '--fork', '--kill-child', '--propagation', 'private', '/usr/bin/sleep', 'infinity'],
      { stdio: 'ignore' },
    );
    const laptop = new NamespaceLaptop(holder, await childOf(holder), base);
    const root = join(base, 'root');
    await laptop.#inside('/bin/mount', '-t', 'tmpfs', 'tmpfs', base);
    for (const dir of ['upper', 'work', 'root']) await mkdir(laptop.#seen(join(base, dir)), { recursive: true });
    const layers = `lowerdir=/,upperdir=${join(base, 'upper')},workdir=${join(base, 'work')}`;
    await laptop.#inside('/bin/mount', '-t', 'overlay', 'overlay', '-o', layers, root);
    await laptop.#inside('/bin/mount', '-t', 'proc', 'proc', join(root, 'proc'));
    await laptop.#inside('/bin/mount', '-t', 'tmpfs', 'tmpfs', join(root, 'sys'));
    await laptop.#inside('/bin/mount', '--rbind', '/dev', join(root, 'dev'));
    await laptop.#inside('/bin/mount', '-t', 'tmpfs', 'tmpfs', join(root, 'tmp'));
    await laptop.#inside('/sbin/ip', 'link', 'set', 'lo', 'up');
    // Not 127.0.0.1: a proxy of the environment is never used for that.
    await laptop.#inside('/sbin/ip', 'address', 'add', `${address}/32`, 'dev', 'lo');
    await laptop.#inside('/bin/hostname', hostname);
    await laptop.setHardware(hardware);
    await laptop.write('/usr/bin/systemctl', SYSTEMCTL, 0o755);
    return laptop;
  }

  async setHardware(hardware: Hardware): Promise<void> {
    await this.write('/sys/class/dmi/id/product_uuid', `${hardware.uuid}\n`, 0o400);
    await this.write('/sys/class/dmi/id/product_serial', `${hardware.serial}\n`, 0o400);
    await this.write('/sys/class/dmi/id/product_name', `${hardware.model}\n`);
    await this.write('/sys/class/dmi/id/sys_vendor', 'Kiwi Laptops\n');
  }

  /** Where the test sees a file of the laptop. */
  path(path: string): string {
    return this.#seen(join(this.#base, 'root', path));
  }

  async write(path: string, text: string | Buffer, mode = 0o644): Promise<void> {
    await mkdir(dirname(this.path(path)), { recursive: true });
    // /usr/bin/systemctl may be a link into the machine's own files: written anew, not through.
    rmSync(this.path(path), { force: true });
    await writeFile(this.path(path), text, { mode });
  }

  read(path: string): string {
    return readFileSync(this.path(path), 'utf8');
  }

  /** Runs a program to its end; a failure throws, with its output in the message. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    const { stdout, stderr } = await run(NSENTER, this.#chrooted(program, args), { env: PLAIN_ENV });
    return stdout + stderr;
  }

  /** Starts a program with exactly this environment. */
  start(program: string, env: Readonly<Record<string, string>>): LaptopProcess {
    return watch(
      spawn(NSENTER, this.#chrooted(program, []), { env: { ...PLAIN_ENV, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  }

  /** Starts a program of this machine's on the laptop's network; it sees this machine's files. */
  startOnNetwork(program: string, ...args: readonly string[]): LaptopProcess {
    return watch(
      spawn(NSENTER, ['-t', String(this.#pid), '-n', '--', program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  }

  /** Asks over the laptop's network with curl; method, headers and body go by its standard input, out of argv. */
  async curl(config: string): Promise<{ status: number; body: string }> {
    const asked = run(NSENTER, [
      ...['-t', String(this.#pid), '-n', '--'],
      ...['/usr/bin/curl', '--silent', '--show-error', '--max-time', '10', '-w', '\n%{http_code}', '--config', '-'],
    ]);
    asked.child.stdin?.end(config);
    const { stdout } = await asked;
    const cut = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(cut + 1)), body: stdout.slice(0, cut) };
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#holder.once('exit', resolve));
    this.#holder.kill('SIGKILL');
    await ended;
    rmSync(this.#base, { recursive: true, force: true });
  }

  #chrooted(program: string, args: readonly string[]): string[] {
    const root = join(this.#base, 'root');
    return ['-t', String(this.#pid), '-m', '-n', '-u', '-p', '--', '/usr/sbin/chroot', root, program, ...args];
  }

  #seen(path: string): string {
    return `/proc/${this.#pid}/root${path}`;
  }

  async #inside(program: string, ...args: readonly string[]): Promise<void> {
    await run(NSENTER, ['-t', String(this.#pid), '-m', '-n', '-u', '-p', '--', program, ...args]);
  }
}

const PLAIN_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive' };

const SYSTEMCTL = `#!/bin/sh
echo "$*" >>/var/log/systemctl
[ ! -e /etc/systemctl-fails ]
`;

async function childOf(parent: ChildProcess): Promise<number> {
  const pid = String(parent.pid);
  for (let waited = 0; waited < 5000; waited += 10) {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
    // The fork is seen before its exec: only the latter says that the namespaces are there.
    if (child > 0 && readFileSync(`/proc/${child}/comm`, 'utf8') === 'sleep\n') return child;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the namespaces did not come up');
}

function watch(child: ChildProcess): LaptopProcess {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    log: () => text,
    ended,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}
