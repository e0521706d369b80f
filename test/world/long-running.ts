import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import type { Room } from '../lab/lab.ts';

/** A program that runs during a test and prints `{"type":"ready",…}` on stdout when it can be used. */
export interface LongRunning {
  readonly process: ChildProcess;
  /** What it printed when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** The last lines of its stderr. */
  log(): string;
  /** Asks it to exit, and waits until it has. */
  stop(): Promise<void>;
}

const LOG_LINES = 400;

export interface StartOptions {
  /** For messages. */
  readonly what: string;
  /** Where its stderr goes: a file, so that the program can outlive this process. */
  readonly logFile: string;
  readonly timeoutMs?: number;
}

/**
 * Starts a program in a room and waits until it is ready.
 * @throws with the end of its stderr, when it exits or prints nothing in time
 */
export async function startInRoom(room: Room, argv: readonly string[], options: StartOptions): Promise<LongRunning> {
  const { what, logFile, timeoutMs = 300_000 } = options;
  mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o700 });
  const logHandle = openSync(logFile, 'a', 0o600);
  const child: ChildProcess = room.spawn(argv, { stdio: ['ignore', 'pipe', logHandle] });
  closeSync(logHandle);
  const { stdout } = child;
  if (stdout === null) throw new TypeError('stdout is a pipe');
  const log = (): string => readFileSync(logFile, 'utf8').split('\n').slice(-LOG_LINES).join('\n');
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`${what} ${why}:\n${log()}`));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('was not ready in time');
    }, timeoutMs);
    child.once('error', (error) => fail(error.message));
    child.once('close', (code) => fail(`ended with ${String(code)}`));
    createInterface({ input: stdout }).on('line', (line) => {
      const event = parse(line);
      if (event?.['type'] !== 'ready') return;
      clearTimeout(timer);
      resolve(event);
    });
  });
  return {
    process: child,
    ready,
    log,
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
