import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { VirtualYubiKeyControl, type TouchMode } from './control.ts';

const UNSHARE = '/usr/bin/unshare';
const NSENTER = '/usr/bin/nsenter';

export interface SandboxOptions {
  /** Holds reader.conf, pcscd.log and control.sock (so keep the path under about 90 characters). */
  readonly dir: string;
  /** State files of the keys to insert. */
  readonly keys?: readonly string[];
  /** How many keys can be inserted at once, which is how many readers there are: 1, or 2 for two keys. */
  readonly places?: 1 | 2;
  readonly touch?: TouchMode;
  readonly touchDelayMs?: number;
  /** How long a key blinks; 15 s on a YubiKey. */
  readonly touchTimeoutMs?: number;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** The program sees the keys, and the network of the caller. */
  readonly outsideNetwork?: boolean;
}

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A machine corner of its own with pcscd and virtual keys in it. */
export interface Sandbox {
  /** Runs a program (absolute path first) inside and waits for it; a time-out kills it and gives code null. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Starts a program inside. */
  spawn(argv: readonly string[], options?: SpawnOptions): ChildProcess;
  readonly control: VirtualYubiKeyControl;
  /** Ends the reader and everything that still runs inside. */
  stop(): Promise<void>;
}

/** Starts a reader within private user, network, mount and pid namespaces. Nothing outside sees it; it ends with this process. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const dir = resolve(options.dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const outer = spawn(UNSHARE, [...namespaceArguments(), ...readerArguments(dir, options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((done) => outer.once('close', () => done()));
  await untilReady(outer);
  const inner = readFileSync(`/proc/${outer.pid ?? 0}/task/${outer.pid ?? 0}/children`, 'utf8').trim();
  const network = readlinkSync(`/proc/${inner}/ns/net`);
  // Not into the pid namespace: nsenter would have to stay between us and the program, and take the signals meant for it.
  const enter = (argv: readonly string[], cwd = process.cwd(), own = ['-n']): string[] => [
    ...['-t', inner, '-U', '--preserve-credentials', ...own, '-m', `--wd=${cwd}`, '--'],
    ...argv,
  ];
  const stop = async (): Promise<void> => {
    endProgramsIn(network, outer.pid ?? 0);
    outer.stdin.end();
    const late = setTimeout(() => outer.kill('SIGKILL'), 4_000);
    await ended;
    clearTimeout(late);
  };
  return {
    run: (argv, runOptions = {}) =>
      runInside(enter(argv, runOptions.cwd, runOptions.outsideNetwork === true ? [] : ['-n']), runOptions),
    spawn: (argv, spawnOptions = {}) => {
      const cwd = spawnOptions.cwd?.toString();
      return spawn(NSENTER, enter(argv, cwd), { ...spawnOptions, cwd: undefined });
    },
    control: new VirtualYubiKeyControl(join(dir, 'control.sock')),
    stop,
  };
}

/** Kills what was started inside and still runs; the reader (in a pid namespace of its own) ends by itself. */
function endProgramsIn(network: string, except: number): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const inside = readlinkSync(`/proc/${pid}/ns/net`) === network;
      const ownPids = readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid');
      if (inside && ownPids && Number(pid) !== except) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended while we looked.
    }
  }
}

function namespaceArguments(): string[] {
  return ['--user', '--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--'];
}

function readerArguments(dir: string, options: SandboxOptions): string[] {
  const main = join(import.meta.dirname, 'main.ts');
  return [
    ...[process.execPath, main, 'reader', '--dir', dir, '--in-new-namespaces', '--end-with-input'],
    ...['--touch', options.touch ?? 'auto', '--touch-delay', String(options.touchDelayMs ?? 0)],
    ...['--touch-timeout', String(options.touchTimeoutMs ?? 15_000)],
    ...(options.places === undefined ? [] : ['--places', String(options.places)]),
    ...(options.keys ?? []).flatMap((key) => ['--keys', resolve(key)]),
  ];
}

function untilReady(outer: ChildProcess): Promise<void> {
  return new Promise((done, fail) => {
    let complaints = '';
    outer.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints += text));
    outer.once('error', fail);
    outer.once('close', () => fail(new Error(`the virtual YubiKey's reader ended: ${complaints.trim()}`)));
    if (outer.stdout) {
      createInterface({ input: outer.stdout }).on('line', (line) => {
        if (line.includes('"ready"')) done();
      });
    }
  });
}

function runInside(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((done, fail) => {
    const limits = { timeout: options.timeoutMs ?? 240_000, killSignal: 'SIGKILL', maxBuffer: 16 << 20 } as const;
    const environment = options.env ? { env: { ...process.env, ...options.env } } : {};
    const child = execFile(NSENTER, argv, { ...limits, ...environment }, (error, stdout, stderr) => {
      if (error && child.pid === undefined) fail(new Error('nsenter did not start', { cause: error }));
      else done({ code: child.exitCode, stdout, stderr });
    });
    // A program that does not read its input closes the pipe early; that is its right.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}
