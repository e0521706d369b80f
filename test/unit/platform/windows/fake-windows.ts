import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { at, type WindowsSystem } from '../../../../platform/windows/system.ts';
import type { Clock } from '../../../../src/core/clock.ts';
import { sha256 } from '../../../../src/core/bytes.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { RunRequest, RunResult } from '../../../../src/programs/run-program.ts';
import type { FakeAnswer } from './fake-answer.ts';
import { FakeCng } from './fake-cng.ts';
import { FakeRegistry } from './fake-registry.ts';

const SID = 'S-1-5-21-1-2-3-1001';
const SEALED = 'sealed by this machine for ';

export interface FakeService {
  state: number;
  start: number;
  exitCode: number;
  command: string;
  recovers: boolean;
}
export type FakeProgram = (args: readonly string[]) => Promise<FakeAnswer> | FakeAnswer;

/**
 * A Windows that is a folder for its files, and memory for the rest: services, registry, stores of certificates, rights. It does what the
 * helper and the programs of Windows are asked for, and remembers what they were told.
 */
export class FakeWindows implements WindowsSystem {
  readonly root: string;
  readonly program: string;
  readonly clock: Clock;
  time = Date.UTC(2026, 10, 21, 12);
  /** Every program run, as a line, without the folder. */
  readonly ran: string[] = [];
  readonly services = new Map<string, FakeService>();
  readonly registry = new FakeRegistry();
  readonly stores = {
    ROOT: new Map<string, StoredFake>(),
    CA: new Map<string, StoredFake>(),
    MY: new Map<string, StoredFake>(),
  };
  /** Security descriptors, by file. */
  readonly rights = new Map<string, string>();
  administrator = true;
  readonly cng = new FakeCng();
  /** How many calls of the helper until this process is dead; and what it tells then. */
  #life: { calls: number; readonly die: () => void } | undefined;
  /** By upgrade code. */
  readonly products = new Map<string, { code: string; version: string }>();
  /** Answers of other verbs of the helper, and of other programs by their name. */
  readonly verbs: Record<string, FakeProgram> = {};
  readonly programs: Record<string, FakeProgram> = {};

  private constructor(root: string) {
    this.root = root;
    this.program = path.join(root, 'Program Files', 'KiwiStack Enroll');
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

  static async make(): Promise<FakeWindows> {
    const machine = new FakeWindows(await mkdtemp(path.join(tmpdir(), 'fake-windows-')));
    for (const folder of [
      'ProgramData',
      'Windows/System32',
      'Program Files/WireGuard',
      'Program Files/KiwiStack Enroll',
    ]) {
      await mkdir(at(machine, folder), { recursive: true });
    }
    for (const name of ['sc', 'reg', 'netsh', 'msiexec']) await machine.write(`Windows/System32/${name}.exe`, '');
    for (const name of ['wireguard', 'wg']) await machine.write(`Program Files/WireGuard/${name}.exe`, '');
    return machine;
  }

  /**
   * After so many calls of the helper the process that makes them is dead: the next call never comes back.
   * @returns when that is so
   */
  dieAfter(calls: number): Promise<void> {
    return new Promise((resolve) => {
      this.#life = { calls, die: resolve };
    });
  }

  /** For another process. */
  revive(): void {
    this.#life = undefined;
  }

  destroy(): Promise<void> {
    return rm(this.root, { recursive: true });
  }

  async write(place: string, content: string | Buffer): Promise<void> {
    await mkdir(path.dirname(at(this, place)), { recursive: true });
    await writeFile(at(this, place), content);
  }

  async read(place: string): Promise<string | undefined> {
    return readFile(at(this, place), 'utf8').catch(() => undefined);
  }

  readonly run = async (request: RunRequest): Promise<RunResult> => {
    request.signal?.throwIfAborted();
    if (request.env !== undefined) throw new TypeError('no program of ours needs more environment');
    const name = path.basename(request.program, '.exe');
    const input = request.input instanceof SecretBytes ? request.input.bytes : Buffer.from(request.input ?? []);
    const args = request.args;
    if (name === 'kiwistack-helper' && this.#life !== undefined && this.#life.calls-- <= 0) {
      this.#life.die();
      return new Promise(() => undefined);
    }
    this.ran.push([name, ...args].join(' ').replaceAll(this.root, 'C:'));
    const answer = name === 'kiwistack-helper' ? await this.#helper(args, input) : await this.#tool(name, args);
    const { code = 0, stdout = '', stderr = '' } = answer ?? {};
    return { code, signal: null, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) };
  };

  async #helper([verb = '', ...args]: readonly string[], input: Buffer): Promise<FakeAnswer> {
    const own = this.verbs[verb];
    if (own !== undefined) return own(args);
    const [first = '', second = '', third] = args;
    switch (verb) {
      case 'whoami':
        return json({ sid: SID, session: 1, system: false, administrator: this.administrator });
      case 'file-security': {
        const isThere = this.rights.has(first) || (await there(first));
        const security = this.rights.get(first) ?? `O:${SID}D:(A;;FA;;;${SID})`;
        return isThere ? json({ kind: path.extname(first) === '' ? 'folder' : 'file', security }) : { code: 3 };
      }
      case 'secure-folder':
        await mkdir(first, { recursive: true });
        this.rights.set(first, second);
        return undefined;
      case 'secure-file':
        this.rights.set(first, second);
        return undefined;
      case 'seal':
        return { stdout: Buffer.concat([Buffer.from(SEALED + first + '\0'), input.map((byte) => byte ^ 0x5a)]) };
      case 'unseal': {
        const mark = Buffer.from(SEALED + first + '\0');
        if (!input.subarray(0, mark.length).equals(mark)) return { code: 1, stderr: 'CryptUnprotectData: error 13' };
        return { stdout: Buffer.from(input.subarray(mark.length).map((byte) => byte ^ 0x5a)) };
      }
      case 'certificate-add':
        this.#store(first).set(sha256(input).toString('hex'), { name: second, key: third ?? null, der: input });
        return undefined;
      case 'certificate-list':
        return json([...this.#store(first)].map(([hash, { name, key = null }]) => ({ sha256: hash, name, key })));
      case 'certificate-remove':
        this.#store(first).delete(second);
        return undefined;
      case 'key-list':
        return this.cng.list();
      case 'key-add':
        return this.cng.add(first, second, input);
      case 'key-remove':
        return this.cng.remove(first);
      case 'services':
        return json(args.flatMap((name) => this.#shown(name)));
      case 'products': {
        const product = this.products.get(first);
        return json(product === undefined ? [] : [product]);
      }
      case 'adapters':
      case 'routes':
      case 'disks':
      case 'sessions':
        return json([]);
      case 'resolve':
        return json(['192.0.2.10']);
      case 'route-to':
        return json({ index: 1 });
      default:
        throw new TypeError(`no such verb: ${verb}`);
    }
  }

  async #tool(name: string, args: readonly string[]): Promise<FakeAnswer> {
    const own = this.programs[name];
    if (own !== undefined) return own(args);
    if (name === 'reg') return this.registry.run(args);
    if (name === 'sc') return this.#sc(args);
    if (name === 'ipconfig' && args[0] === '/flushdns') return undefined;
    throw new TypeError(`no such program: ${name}`);
  }

  #sc([verb = '', name = '', ...options]: readonly string[]): FakeAnswer {
    const service = this.services.get(name);
    if (service === undefined) return { code: 1060 };
    const option = (key: string): string | undefined =>
      options.includes(`${key}=`) ? options[options.indexOf(`${key}=`) + 1] : undefined;
    if (verb === 'start') service.state = service.exitCode === 0 ? 4 : 1;
    else if (verb === 'stop') service.state = 1;
    else if (verb === 'delete') this.services.delete(name);
    else if (verb === 'failure') service.recovers = option('actions')?.startsWith('restart/') === true;
    else if (verb === 'config') {
      service.command = option('binPath') ?? service.command;
      if (option('start') === 'auto') service.start = 2;
    } else if (verb !== 'failureflag') throw new TypeError(`no such verb of sc: ${verb}`);
    return undefined;
  }

  #shown(name: string): unknown[] {
    if (name.endsWith('*')) {
      return [...this.services.keys()]
        .filter((one) => one.startsWith(name.slice(0, -1)))
        .flatMap((one) => this.#shown(one));
    }
    const found = this.services.get(name);
    if (found === undefined) return [{ name, known: false }];
    const { state, start, exitCode, command } = found;
    return [{ name, known: true, state, exitCode, pid: 4, start, command }];
  }

  #store(name: string): Map<string, StoredFake> {
    if (name !== 'ROOT' && name !== 'CA' && name !== 'MY') throw new TypeError(`no such store: ${name}`);
    return this.stores[name];
  }
}

interface StoredFake {
  readonly name: string | null;
  /** The name of its key in CNG. */
  readonly key?: string | null;
  readonly der?: Buffer;
}

export const json = (value: unknown): FakeAnswer => ({ stdout: JSON.stringify(value) });

async function there(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
