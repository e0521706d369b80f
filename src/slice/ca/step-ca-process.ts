import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';

import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { spawnProgram, type RunningProgram } from '../../programs/spawn-program.ts';

export interface StepCaOptions {
  readonly program: string;
  /** Working directory; the file names in ca.json are relative to it. */
  readonly dir: string;
  readonly log: string;
  readonly clock: Clock;
  /** Polled until it returns true. */
  readonly healthy: () => Promise<boolean>;
  /** Called after every start, so that a later run can stop the process that a killed run left behind. */
  readonly started: (pid: number) => Promise<void>;
  /** Called when a restart failed; another attempt follows later. */
  readonly failed: (error: unknown) => void;
}

export interface StepCaProcess {
  readonly pid: number | undefined;
  /** Stops step-ca and waits until it has exited. Safe to repeat. */
  stop(): Promise<void>;
}

/** For a machine whose disk has not read it yet. One that ends is noticed at once, whatever is left of it. */
const START_MS = 60_000;
const STOP_MS = 5000;
const RESTART_MS = [200, 1000, 5000, 15_000] as const;

/**
 * Runs step-ca as a child process and restarts it when it exits unexpectedly, at growing intervals.
 * @throws KiwiError `slice-part-failed` when it does not answer in time; the detail has its last output
 */
export async function startStepCa(options: StepCaOptions): Promise<StepCaProcess> {
  let child: RunningProgram | undefined;
  const stopping = new AbortController();
  let lastWords = '';
  const log = createWriteStream(options.log, { flags: 'a', mode: 0o600 });
  await new Promise((resolve, reject) => log.once('open', resolve).once('error', reject));
  // A full disk loses step-ca's log, but must not stop the slice.
  log.on('error', () => undefined);
  await chmod(options.log, 0o600);

  const start = async (): Promise<void> => {
    child = await spawnProgram({
      program: options.program,
      args: ['ca.json'],
      cwd: options.dir,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: options.dir, STEPPATH: options.dir },
    });
    child.stdin.end();
    if (stopping.signal.aborted) child.kill('SIGTERM');
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        lastWords = (lastWords + chunk.toString('utf8')).slice(-500);
        log.write(chunk);
      });
    }
    await options.started(child.pid);
  };
  const running = (): RunningProgram | undefined => child;
  const supervise = async (): Promise<void> => {
    for (let failures = 0; ; failures++) {
      await child?.exited;
      child = undefined;
      if (stopping.signal.aborted) return;
      try {
        await options.clock.sleep(RESTART_MS[Math.min(failures, RESTART_MS.length - 1)] ?? 15_000, stopping.signal);
        await start();
      } catch (error) {
        if (isAborted(stopping.signal)) continue;
        options.failed(error);
      }
    }
  };
  let supervised = Promise.resolve();
  const stop = async (): Promise<void> => {
    stopping.abort();
    const last = child;
    if (last !== undefined) {
      last.kill('SIGTERM');
      const late = new AbortController();
      options.clock.sleep(STOP_MS, late.signal).then(
        () => last.kill('SIGKILL'),
        () => undefined,
      );
      await last.exited;
      late.abort();
    }
    // A restart may have been under way at this moment.
    await supervised;
    await new Promise<void>((resolve) => {
      log.end(resolve);
    });
  };

  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const deadline = options.clock.monotonic() + START_MS;
  let ended = false;
  void running()?.exited.then(() => (ended = true));
  while (!(await options.healthy())) {
    // `ended` changes in the callback above, which the compiler cannot see.
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
    if (ended || options.clock.monotonic() > deadline) {
      await stop();
      throw new KiwiError('slice-part-failed', { detail: `step-ca: ${lastWords.trim().slice(-300) || 'no answer'}` });
    }
    await options.clock.sleep(50);
  }
  supervised = supervise();
  return {
    get pid() {
      return child?.pid;
    },
    stop,
  };
}

// A function, because the compiler does not know that a signal can change during an await.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
