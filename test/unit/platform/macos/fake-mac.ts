import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { keychainHash } from '../../../../platform/macos/keychain.ts';
import { PATHS } from '../../../../platform/macos/paths.ts';
import { readPlist, renderPlist, type Plist } from '../../../../platform/macos/plist.ts';
import { PROGRAM_FOLDERS, type MacSystem } from '../../../../platform/macos/system.ts';
import type { Clock } from '../../../../src/core/clock.ts';
import { parsePemBundle, type Certificate } from '../../../../src/pki/certificate.ts';
import type { RunRequest, RunResult } from '../../../../src/programs/run-program.ts';

type Answer = { readonly code?: number; readonly stdout?: string; readonly stderr?: string } | string | undefined;
export type FakeProgram = (args: readonly string[]) => Promise<Answer> | Answer;

interface FakeJob {
  running: boolean;
  runs: number;
  exitCode: number | undefined;
}

/**
 * A Mac that is a folder for its files, and memory for the rest: launchd's jobs, the System keychain with its settings of trust, receipts of
 * packages, configuration profiles. A job of wireguard-go makes an interface, as the real one does. It remembers what every program was told.
 */
export class FakeMac implements MacSystem {
  readonly root: string;
  readonly clock: Clock;
  readonly programFolders = PROGRAM_FOLDERS;
  readonly runtimeFolder = PATHS.run;
  time = Date.UTC(2026, 10, 21, 12);
  /** Every program run, as a line, without the folder. */
  readonly ran: string[] = [];
  readonly jobs = new Map<string, FakeJob>();
  readonly disabled = new Set<string>();
  readonly keychain: Certificate[] = [];
  /** Private keys that `security import` was given. */
  readonly keys: string[] = [];
  /** SHA-1, upper case. */
  readonly trusted = new Set<string>();
  /** False where nobody is at the screen to confirm it. */
  confirms = true;
  readonly receipts = new Map<string, string>();
  /** Identifiers of configuration profiles that a person has approved. */
  readonly profiles = new Set<string>();
  /** False where macOS does not remove a profile, whoever asks. */
  removesProfiles = true;
  /** The groups of everybody: 80 are the administrators. */
  groups = '20 80';
  /** Numbers of interfaces that wireguard-go has made. */
  utun = 4;
  /** Answers of programs by their name, before those of this fake. */
  readonly programs: Record<string, FakeProgram> = {};

  private constructor(root: string) {
    this.root = root;
    this.clock = {
      now: () => this.time,
      monotonic: () => this.time,
      sleep: (ms, signal) => {
        if (signal?.aborted === true) return Promise.reject(new DOMException('aborted', 'AbortError'));
        this.time += ms;
        return Promise.resolve();
      },
    };
  }

  static async make(): Promise<FakeMac> {
    const mac = new FakeMac(await mkdtemp(path.join(tmpdir(), 'fake-mac-')));
    for (const folder of [PATHS.daemons, PATHS.sockets, '/etc', '/var', '/opt', '/Library/Keychains']) {
      await mkdir(path.join(mac.root, folder), { recursive: true });
    }
    await mac.write(PATHS.keychain, '');
    const own = ['/usr/bin/security', '/bin/launchctl', '/usr/sbin/installer', '/usr/sbin/pkgutil', '/usr/bin/plutil'];
    const others = ['/usr/sbin/ioreg', '/sbin/ifconfig', '/sbin/route', '/usr/sbin/netstat', '/sbin/ping'];
    const ours = ['wg', 'wireguard-go', 'kiwistack-token-host'].map((name) => `${PATHS.programs}/${name}`);
    const readers = ['/usr/bin/sw_vers', '/usr/sbin/networksetup', '/usr/sbin/scutil', '/usr/bin/dscacheutil'];
    const more = ['/usr/sbin/systemsetup', '/usr/bin/profiles', '/usr/bin/id'];
    for (const program of [...own, ...others, ...ours, ...readers, ...more]) {
      await mac.write(program, '', 0o755);
    }
    return mac;
  }

  destroy(): Promise<void> {
    return rm(this.root, { recursive: true });
  }

  async write(file: string, content: string | Buffer, mode = 0o644): Promise<void> {
    await mkdir(path.dirname(path.join(this.root, file)), { recursive: true });
    await writeFile(path.join(this.root, file), content);
    await chmod(path.join(this.root, file), mode);
  }

  async read(file: string): Promise<string | undefined> {
    return readFile(path.join(this.root, file), 'utf8').catch(() => undefined);
  }

  async mode(file: string): Promise<number> {
    return (await stat(path.join(this.root, file))).mode & 0o777;
  }

  async names(folder: string): Promise<string[]> {
    return (await readdir(path.join(this.root, folder)).catch(() => [])).toSorted();
  }

  readonly run = async (request: RunRequest): Promise<RunResult> => {
    request.signal?.throwIfAborted();
    if (request.env !== undefined) throw new TypeError('no program of ours needs more environment');
    const name = path.basename(request.program);
    this.ran.push([name, ...request.args].join(' ').replaceAll(this.root, ''));
    const own = this.programs[name];
    const answer = (own === undefined ? await this.#own(name, request.args) : await own(request.args)) ?? {};
    const { code = 0, stdout = '', stderr = '' } = typeof answer === 'string' ? { stdout: answer } : answer;
    return { code, signal: null, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) };
  };

  async #own(name: string, args: readonly string[]): Promise<Answer> {
    if (name === 'launchctl') return this.#launchctl(args);
    if (name === 'security') return this.#security(args);
    if (name === 'pkgutil') return this.#pkgutil(args);
    if (name === 'profiles') return this.#profiles(args);
    if (name === 'id') return `${this.groups}\n`;
    if (name === 'ifconfig' || name === 'wg') return undefined;
    if (name === 'route') return args.includes('get') ? '  interface: en0\n' : undefined;
    throw new TypeError(`no such program: ${name}`);
  }

  async #launchctl([verb = '', ...args]: readonly string[]): Promise<Answer> {
    if (verb === 'print-disabled') {
      return `disabled services = {\n${[...this.disabled].map((label) => `\t\t"${label}" => disabled\n`).join('')}\t}\n`;
    }
    const label = path.basename(args.at(-1) ?? '').replace(/\.plist$/u, '');
    const job = this.jobs.get(label);
    switch (verb) {
      case 'print':
        return job === undefined ? { code: 113, stderr: 'Could not find service' } : printed(label, job);
      case 'enable':
        this.disabled.delete(label);
        return undefined;
      case 'bootstrap':
        if (job !== undefined || this.disabled.has(label)) return { code: 5, stderr: 'Bootstrap failed: 5' };
        this.jobs.set(label, { running: false, runs: 0, exitCode: undefined });
        await this.#launch(label);
        return undefined;
      case 'bootout':
        return this.jobs.delete(label) ? undefined : { code: 3, stderr: 'No such process' };
      case 'kickstart':
        if (job === undefined) return { code: 113 };
        await this.#launch(label);
        return undefined;
      case 'asuser':
        return undefined;
      default:
        throw new TypeError(`no such verb of launchctl: ${verb}`);
    }
  }

  /** As launchd does with a job whose file it has read. */
  async #launch(label: string): Promise<void> {
    const job = this.jobs.get(label);
    const file = await this.read(`${PATHS.daemons}/${label}.plist`);
    if (job === undefined || file === undefined) throw new TypeError(`no file for ${label}`);
    const { ProgramArguments: [program = ''] = [], EnvironmentVariables: environment = {} } = readPlist(file) as {
      ProgramArguments?: string[];
      EnvironmentVariables?: Record<string, string>;
    };
    job.runs += 1;
    job.running = true;
    if (path.basename(program) !== 'wireguard-go') return;
    this.utun += 1;
    const name = `utun${this.utun}`;
    await this.write(environment['WG_TUN_NAME_FILE'] ?? '', `${name}\n`, 0o400);
    await this.write(`${PATHS.sockets}/${name}.sock`, '');
  }

  async #security([verb = '', ...args]: readonly string[]): Promise<Answer> {
    const after = (option: string): string => args[args.indexOf(option) + 1] ?? '';
    const last = args.at(-1) ?? '';
    const certificates = async (file: string): Promise<Certificate[]> => parsePemBundle(await readFile(file, 'utf8'));
    switch (verb) {
      case 'find-certificate':
        return this.keychain.map(({ pem }) => pem).join('');
      case 'add-certificates':
        return this.#add(await certificates(last));
      case 'import':
        this.keys.push(await readFile(args[0] ?? '', 'utf8'));
        return undefined;
      case 'add-trusted-cert':
        if (!this.confirms) {
          return { code: 1, stderr: 'The authorization was denied since no user interaction was possible.' };
        }
        for (const one of await certificates(last)) this.trusted.add(keychainHash(one));
        this.#add(await certificates(last));
        return undefined;
      case 'remove-trusted-cert':
        for (const one of await certificates(last)) this.trusted.delete(keychainHash(one));
        return undefined;
      case 'verify-cert': {
        const found = await certificates(after('-c'));
        return { code: found.every((one) => this.trusted.has(keychainHash(one))) ? 0 : 1 };
      }
      case 'trust-settings-export': {
        if (this.trusted.size === 0) return { code: 1, stderr: 'No Trust Settings were found.' };
        const list = Object.fromEntries([...this.trusted].map((hash) => [hash, { trustSettings: [] }]));
        await writeFile(last, renderPlist({ trustList: list, trustVersion: 1 } satisfies Plist));
        return undefined;
      }
      case 'delete-identity':
      case 'delete-certificate': {
        const at = this.keychain.findIndex((one) => keychainHash(one) === after('-Z'));
        if (at < 0 || (verb === 'delete-identity' && this.keys.length === 0)) return { code: 44 };
        this.keychain.splice(at, 1);
        if (verb === 'delete-identity') this.keys.length = 0;
        return undefined;
      }
      case 'delete-generic-password':
        return { code: 44 };
      default:
        throw new TypeError(`no such verb of security: ${verb}`);
    }
  }

  #add(found: readonly Certificate[]): Answer {
    const fresh = found.filter(({ der }) => this.keychain.every((one) => !one.der.equals(der)));
    this.keychain.push(...fresh);
    return fresh.length === found.length
      ? undefined
      : { code: 1, stderr: 'The specified item already exists in the keychain.' };
  }

  #profiles([verb, , identifier = '']: readonly string[]): Answer {
    if (verb === 'show') {
      const list = [...this.profiles].map((ProfileIdentifier) => ({ ProfileIdentifier }));
      return renderPlist({ _computerlevel: list } satisfies Plist);
    }
    if (verb !== 'remove') throw new TypeError(`no such verb of profiles: ${verb ?? ''}`);
    if (this.removesProfiles) this.profiles.delete(identifier);
    return undefined;
  }

  #pkgutil([option, name = '']: readonly string[]): Answer {
    const version = this.receipts.get(name);
    if (version === undefined) return { code: 1, stderr: `No receipt for '${name}' found at '/'.` };
    if (option === '--pkg-info-plist') return renderPlist({ 'pkg-version': version, pkgid: name, volume: '/' });
    if (option !== '--forget') throw new TypeError(`no such option of pkgutil: ${option ?? ''}`);
    this.receipts.delete(name);
    return undefined;
  }
}

/** In the form of `launchctl print`, shortened. */
function printed(label: string, { running, runs, exitCode }: FakeJob): string {
  return [
    `system/${label} = {`,
    '\tactive count = 1',
    `\tstate = ${running ? 'running' : 'not running'}`,
    `\truns = ${runs}`,
    `\tlast exit code = ${exitCode === undefined ? '(never exited)' : exitCode}`,
    '\tendpoints = {',
    '\t\tstate = active',
    '\t}',
    '}',
    '',
  ].join('\n');
}
