import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { WindowsSystem } from '../../platform/windows/system.ts';
import { systemClock } from '../../src/core/clock.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import type { RunRequest, RunResult } from '../../src/programs/run-program.ts';

const WINE = '/usr/bin/wine';
const WINESERVER = '/usr/lib/wine/wineserver';
/** The first start of wine makes its registry and takes half a minute. */
const FIRST_MS = 300_000;

interface Options {
  readonly timeoutMs: number;
  readonly input?: Uint8Array;
  /** Besides wine's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A Windows of wine's, in a folder of its own, with the program installed where it belongs. It is a `WindowsSystem`: the classes of
 * platform/windows run here and their programs in wine.
 */
export class Wine implements WindowsSystem {
  /** The drive C. Beside it is the registry. */
  readonly root: string;
  readonly program: string;
  readonly clock = systemClock;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.root = path.join(folder, 'prefix/drive_c');
    this.program = path.join(this.root, 'Program Files/KiwiStack Enroll');
  }

  /** Where the program was built. */
  static get built(): string {
    const built = process.env['KIWISTACK_WINDOWS_PROGRAM'];
    if (built === undefined) throw new TypeError('the program was not built');
    return built;
  }

  /** @param installed false: with nothing of ours in it */
  static async make(installed = true): Promise<Wine> {
    const wine = new Wine(await mkdtemp(path.join(tmpdir(), 'wine-')));
    await wine.#wine(['wineboot', '-i'], { timeoutMs: FIRST_MS });
    await wine.#wine(['winecfg', '-v', 'win10'], { timeoutMs: FIRST_MS });
    // A restart: the service manager of a Windows that was only just made starts no service.
    for (const option of ['-k', '-w']) await wine.#spawn(WINESERVER, [option], { timeoutMs: 60_000 });
    await mkdir(path.dirname(wine.program), { recursive: true });
    if (installed) await cp(Wine.built, wine.program, { recursive: true });
    await mkdir(path.join(wine.root, 'ProgramData'), { recursive: true });
    wine.#stayOn();
    return wine;
  }

  /** Wine shuts down, and its services with it, three seconds after the last program of a user has ended. */
  #stayOn(): void {
    const node = path.join(Wine.built, 'node.exe');
    spawn(WINE, [node, '-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore', env: this.#environment() }).unref();
  }

  /** Ends everything in it, and writes its registry to the disk. */
  async stop(): Promise<void> {
    for (const option of ['-k', '-w']) await this.#spawn(WINESERVER, [option], { timeoutMs: 60_000 });
  }

  async destroy(): Promise<void> {
    await this.#spawn(WINESERVER, ['-k'], { timeoutMs: 30_000 });
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10 });
  }

  /** As `runProgram`, but in wine; a path in this Windows may be given as it is outside. */
  readonly run = async ({ program, args, input, env, timeoutMs = 60_000 }: RunRequest): Promise<RunResult> => {
    const bytes = input instanceof SecretBytes ? input.bytes : input;
    const inside = args.map((argument) => this.inside(argument));
    return this.#wine([this.inside(program), ...inside], {
      timeoutMs,
      ...(bytes === undefined ? {} : { input: bytes }),
      ...(env === undefined ? {} : { env }),
    });
  };

  /** A verb of the helper. */
  helper(args: readonly string[], input?: Uint8Array): Promise<RunResult> {
    const program = path.join(this.program, 'kiwistack-helper.exe');
    return this.run({ program, args, ...(input === undefined ? {} : { input }) });
  }

  /** A program of ours in Node for Windows. */
  node(name: string, args: readonly string[]): Promise<RunResult> {
    const script = path.join(this.program, name);
    const program = path.join(this.program, 'node.exe');
    return this.run({ program, args: ['--disable-warning=ExperimentalWarning', script, ...args], timeoutMs: 120_000 });
  }

  /** `/tmp/…/drive_c/a/b` is `C:\a\b` for a program in wine. */
  inside(text: string): string {
    if (!text.includes(this.root)) return text;
    return text.replaceAll(this.root, 'C:').replaceAll('/', '\\');
  }

  #wine(command: readonly string[], options: Options): Promise<RunResult> {
    return this.#spawn(WINE, command, options);
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      PATH: '/usr/bin:/bin',
      HOME: this.#folder,
      WINEPREFIX: path.join(this.#folder, 'prefix'),
      WINEDEBUG: '-all',
      // Neither .NET nor a browser is needed.
      WINEDLLOVERRIDES: 'mscoree=;mshtml=;winemenubuilder.exe=',
    };
  }

  /** Through files: wine takes a pipe of Unix for no file at all when Node asks what it is. */
  async #spawn(
    program: string,
    args: readonly string[],
    { timeoutMs, input = Buffer.of(), env = {} }: Options,
  ): Promise<RunResult> {
    const work = await mkdtemp(path.join(this.#folder, 'run-'));
    const [stdin, stdout, stderr] = ['in', 'out', 'err'].map((name) => path.join(work, name));
    if (stdin === undefined || stdout === undefined || stderr === undefined) throw new TypeError('three files');
    const handles = [await open(stdin, 'w+'), await open(stdout, 'w'), await open(stderr, 'w')];
    try {
      await handles[0]?.write(input, 0, input.length, 0);
      await handles[0]?.close();
      handles[0] = await open(stdin, 'r');
      const child = spawn(program, args, {
        stdio: handles.map(({ fd }) => fd),
        env: { ...env, ...this.#environment() },
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
      });
      const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (...ended) => {
          resolve(ended);
        });
      });
      return { code: code ?? -1, signal, stdout: await readFile(stdout), stderr: await readFile(stderr) };
    } finally {
      for (const handle of handles) await handle.close();
      await rm(work, { recursive: true, force: true });
    }
  }
}
