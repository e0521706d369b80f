import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The environment of a program in a room: nothing from the test's own environment. */
const roomEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  USER: 'root',
  LANG: 'C.UTF-8',
} as const;

export interface SpawnOptions {
  readonly stdio?: StdioOptions;
  /** Added to a minimal environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /**
   * For a person at a terminal: the program stays in the terminal's foreground process group and handles Ctrl-C itself.
   */
  readonly foreground?: boolean;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default 10 minutes; afterwards the program is killed and `run` throws. */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** The exit code; 128 + the signal's number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Starts a program inside the namespaces of the room whose first process has the pid `pid` on the host. The
 * ChildProcess is nsenter; its `kill` reaches the program inside, and its exit code or signal is the program's. When
 * nsenter is killed, the kernel kills the program.
 */
export function spawnInRoom(pid: number, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
  if (argv.length === 0) throw new TypeError('argv is empty');
  const foreground = options.foreground ?? false;
  const inner = ['--', '/usr/bin/setpriv', '--pdeathsig', 'KILL', '--', '/usr/bin/env', '-C', options.cwd ?? '/root'];
  const args = ['-t', String(pid), '-m', '-n', '-u', '-i', '-p', ...inner];
  // In the foreground, Ctrl-C also reaches nsenter, which would die and take the program down before it could clean up.
  const [command, all] = foreground
    ? ['/usr/bin/env', ['--ignore-signal=INT,QUIT', '/usr/bin/nsenter', ...args, '--default-signal=INT,QUIT', ...argv]]
    : ['/usr/bin/nsenter', [...args, ...argv]];
  const child = spawn(command, all, {
    stdio: options.stdio ?? 'pipe',
    env: { ...roomEnvironment, ...options.env },
    detached: !foreground,
  });
  const killOuter = child.kill.bind(child);
  child.kill = (signal) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return false;
    const innerPid = onlyChildOf(child.pid);
    if (innerPid === undefined) return killOuter(signal);
    try {
      return process.kill(innerPid, signal);
    } catch {
      return false;
    }
  };
  return child;
}

function onlyChildOf(pid: number): number | undefined {
  try {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
    return first === undefined || first === '' ? undefined : Number(first);
  } catch {
    return undefined;
  }
}

const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/**
 * Runs a program in a room and waits for its end. Resolves when the program ends, even if a daemon that it left keeps
 * its output open.
 */
export function runInRoom(pid: number, argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { input, timeoutMs = 600_000, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const child = spawnInRoom(pid, argv, {
      ...spawnOptions,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A program may end without reading its input.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const finish = (code: number | null, signal: NodeJS.Signals | null) => {
      clearTimeout(timer);
      child.stdout?.destroy();
      child.stderr?.destroy();
      const result: RunResult = {
        code: code ?? 128 + (signal === null ? 0 : (signalNumbers[signal] ?? 0)),
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      };
      if (late) {
        reject(new Error(`${argv.join(' ')} did not end within ${timeoutMs} ms\n${result.stdout}${result.stderr}`));
      } else resolve(result);
    };
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('exit', (code, signal) => {
      const grace = setTimeout(() => finish(code, signal), 250);
      child.once('close', () => {
        clearTimeout(grace);
        finish(code, signal);
      });
    });
  });
}
