import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';

import { KiwiError } from '../core/errors.ts';
import { systemErrorCode } from '../core/system-error-code.ts';
import { childEnvironment } from './minimal-environment.ts';

export interface SpawnRequest {
  /** Absolute path: PATH is never searched, so nobody's folder can slip another program in. */
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment; by default only PATH and the locale. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** This many private two-way pipes, which the child finds as descriptors 3, 4, … */
  readonly channels?: number;
}

export interface ProgramEnd {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number;
  readonly signal: string | null;
}

/** A running child. Its owner reads stdout and stderr (or calls `resume()` on them): a full pipe would stop the child. */
export interface RunningProgram {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly channels: readonly Duplex[];
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<ProgramEnd>;
  /** Sends a signal to the program and everything it started (its process group). Safe to repeat, and after the end. */
  kill(signal?: NodeJS.Signals): void;
}

/**
 * Starts a program that stays, in a process group of its own: Ctrl-C in the terminal reaches us and not the child, and
 * `kill` reaches its children too.
 *
 * @throws KiwiError `tool-missing` when there is no such program, `program-failed` when the system refuses to start it.
 */
export async function spawnProgram(request: SpawnRequest): Promise<RunningProgram> {
  if (!path.isAbsolute(request.program)) throw new TypeError('programs run by absolute path');
  const extra = Array.from({ length: request.channels ?? 0 }, () => 'pipe' as const);
  const child = spawn(request.program, request.args, {
    stdio: ['pipe', 'pipe', 'pipe', ...extra],
    env: childEnvironment(request.env),
    detached: process.platform !== 'win32',
    windowsHide: true,
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
  });
  let ended = false;
  const exited = new Promise<ProgramEnd>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = true;
      resolve({ code: code ?? -1, signal });
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.on('error', (error) => reject(cannotStart(request, error)));
  });
  const pid = child.pid;
  if (pid === undefined) throw new TypeError('a started child has a process id');
  // A child that ends early breaks its pipes; the broken pipe is no news beside `exited`.
  for (const stream of child.stdio) stream?.on('error', () => undefined);
  return {
    pid,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    channels: child.stdio.slice(3) as unknown as Duplex[],
    exited,
    kill: (signal = 'SIGKILL') => {
      if (ended) return; // the process id may belong to somebody else by now
      if (process.platform === 'win32') child.kill(signal);
      else killGroup(pid, signal);
    },
  };
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: gone already, its end not yet reported to us.
  }
}

function cannotStart(request: SpawnRequest, error: Error): KiwiError {
  const name = path.basename(request.program);
  const code = systemErrorCode(error) ?? 'unknown';
  // A missing working folder gives ENOENT as well.
  if (code === 'ENOENT' && !existsSync(request.program)) {
    return new KiwiError('tool-missing', { detail: request.program, cause: error });
  }
  return new KiwiError('program-failed', { detail: `${name}: cannot be started (${code})`, cause: error });
}
