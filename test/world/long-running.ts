import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A program that runs beside a test and says `{"event":"ready",…}` on stdout when it can be used. */
export interface LongRunning {
  readonly process: ChildProcess;
  /** What it said when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** The last lines of its stderr. */
  log(): string;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
}

const LOG_LINES = 400;

/** Waits until a started program is ready. @throws when it ends, or says nothing in time, with the last of its stderr */
export async function untilReady(child: ChildProcess, what: string, timeoutMs = 30_000): Promise<LongRunning> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new TypeError('stdout and stderr are pipes');
  const lines: string[] = [];
  createInterface({ input: stderr }).on('line', (line) => {
    lines.push(line);
    if (lines.length > LOG_LINES) lines.shift();
  });
  const log = (): string => lines.join('\n');
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
      if (event?.['event'] !== 'ready') return;
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
