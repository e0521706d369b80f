import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';

import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { spawnProgram, type RunningProgram } from '../../programs/spawn-program.ts';

export interface StepCaOptions {
  readonly program: string;
  /** Working folder; ca.json names its files relative to it. */
  readonly dir: string;
  readonly log: string;
  readonly clock: Clock;
  /** Asked until it says yes. */
  readonly healthy: () => Promise<boolean>;
  /** Told of every start, so that a later run can end what a killed one left behind. */
  readonly started: (pid: number) => Promise<void>;
  /** Told when it could not be started again; it is tried once more later. */
  readonly failed: (error: unknown) => void;
}

export interface StepCaProcess {
  readonly pid: number | undefined;
  /** Ends it and waits for its end. Safe to repeat. */
  stop(): Promise<void>;
}

const START_MS = 15_000;
const STOP_MS = 5000;
const RESTART_MS = [200, 1000, 5000, 15_000] as const;

/**
 * Runs step-ca as a child and starts it again when it ends by itself, at growing intervals.
 * @throws KiwiError `slice-part-failed` when it does not answer in time; its last words are in the detail
 */
export async function startStepCa(options: StepCaOptions): Promise<StepCaProcess> {
  let child: RunningProgram | undefined;
  const stopping = new AbortController();
  let lastWords = '';
  const log = createWriteStream(options.log, { flags: 'a', mode: 0o600 });
  await new Promise((resolve, reject) => log.once('open', resolve).once('error', reject));
  // A full disk costs its words and nothing else.
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
    // It may have been starting another one at this moment.
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
    // `ended` changes in the callback above, which the compiler does not see.
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

// A function, because the compiler does not know that a signal changes while one waits.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
