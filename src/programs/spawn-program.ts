import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';

import { KiwiError } from '../core/errors.ts';
import { systemErrorCode } from '../core/system-error-code.ts';
import { childEnvironment } from './minimal-environment.ts';

export interface SpawnRequest {
  /** Absolute path: PATH is never searched, so nobody can place another program there. */
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment; by default only PATH and the locale. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** This many private two-way pipes, which are descriptors 3, 4, … in the child. */
  readonly channels?: number;
  /** It asks a person at our terminal: it stays in our process group, without which it could not read from there. */
  readonly atTerminal?: boolean;
}

export interface ProgramEnd {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number;
  readonly signal: string | null;
}

/**
 * A running child. The caller must read stdout and stderr (or call `resume()` on them): a full pipe would block the
 * child.
 */
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
 * Starts a long-running program in its own process group: Ctrl-C in the terminal reaches us but not the child, and
 * `kill` reaches the child's children as well.
 *
 * @throws KiwiError `tool-missing` when there is no such program, `program-failed` when the system refuses to start it.
 */
export async function spawnProgram(request: SpawnRequest): Promise<RunningProgram> {
  if (!path.isAbsolute(request.program)) throw new TypeError('programs run by absolute path');
  const extra = Array.from({ length: request.channels ?? 0 }, () => 'pipe' as const);
  const ownGroup = process.platform !== 'win32' && request.atTerminal !== true;
  const child = spawn(request.program, request.args, {
    stdio: ['pipe', 'pipe', 'pipe', ...extra],
    env: childEnvironment(request.env),
    detached: ownGroup,
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
  // A child that exits early breaks its pipes; `exited` already reports that.
  for (const stream of child.stdio) stream?.on('error', () => undefined);
  return {
    pid,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    channels: child.stdio.slice(3) as unknown as Duplex[],
    exited,
    kill: (signal = 'SIGKILL') => {
      if (ended) return; // the process id may belong to another process by now
      if (ownGroup) killGroup(pid, signal);
      else child.kill(signal);
    },
  };
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: it has already exited, but that was not reported to us yet.
  }
}

function cannotStart(request: SpawnRequest, error: Error): KiwiError {
  const name = path.basename(request.program);
  const code = systemErrorCode(error) ?? 'unknown';
  // A missing working directory also gives ENOENT.
  if (code === 'ENOENT' && !existsSync(request.program)) {
    return new KiwiError('tool-missing', { detail: request.program, cause: error });
  }
  return new KiwiError('program-failed', { detail: `${name}: cannot be started (${code})`, cause: error });
}
