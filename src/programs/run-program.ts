import path from 'node:path';
import type { Readable } from 'node:stream';

import { systemClock } from '../core/clock.ts';
import { KiwiError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { spawnProgram, type SpawnRequest } from './spawn-program.ts';

export interface RunRequest extends Omit<SpawnRequest, 'channels'> {
  /** Written to stdin, which is then closed. The caller has to clear a secret. */
  readonly input?: Uint8Array | SecretBytes;
  /** Default: one minute. */
  readonly timeoutMs?: number;
  /** For stdout and stderr each; a program that writes more is killed. Default: 1 MiB. */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * How long output is still read after the program has exited: a daemon that it left behind may keep the pipe open for
 * ever.
 */
const DRAIN_MS = 500;

/**
 * Runs a program and returns how it ended, whatever the exit code.
 *
 * @throws KiwiError `tool-missing` when there is no such program; `program-failed` when it takes too long or writes too
 *   much; the signal's AbortError when aborted. In the last three cases the whole process group was killed and has
 *   ended.
 */
export async function runProgram(request: RunRequest): Promise<RunResult> {
  const { timeoutMs = 60_000, maxOutputBytes = 1 << 20, signal } = request;
  signal?.throwIfAborted();
  const child = await spawnProgram(request);
  const over = new AbortController();
  let failure: Error | undefined;
  const end = (reason: Error): void => {
    failure ??= reason;
    child.kill();
  };
  const failed = (why: string): KiwiError =>
    new KiwiError('program-failed', { detail: `${path.basename(request.program)}: ${why}` });
  const aborted = (): void => end(new DOMException('aborted', 'AbortError'));
  if (signal?.aborted === true) aborted();
  signal?.addEventListener('abort', aborted, { once: true });
  systemClock.sleep(timeoutMs, over.signal).then(
    () => end(failed(`not done after ${timeoutMs} ms`)),
    () => undefined,
  );
  const collect = (stream: Readable): (() => Buffer) =>
    collectCapped(stream, maxOutputBytes, () => end(failed(`more than ${maxOutputBytes} bytes of output`)));
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  try {
    child.stdin.end(request.input instanceof SecretBytes ? request.input.bytes : request.input);
    const { code, signal: endedBy } = await child.exited;
    await drained([child.stdout, child.stderr]);
    if (failure !== undefined) throw failure;
    return { code, signal: endedBy, stdout: stdout(), stderr: stderr() };
  } finally {
    over.abort();
    signal?.removeEventListener('abort', aborted);
  }
}

/**
 * Runs a program that must succeed.
 *
 * @throws KiwiError as runProgram, and `program-failed` with the name, the exit code and the end of stderr when it fails.
 */
export async function runChecked(request: RunRequest): Promise<RunResult> {
  const result = await runProgram(request);
  if (result.code === 0) return result;
  const how = result.signal === null ? `exit code ${result.code}` : `ended by ${result.signal}`;
  const said = result.stderr.toString('utf8').trim().slice(-500);
  throw new KiwiError('program-failed', {
    detail: `${path.basename(request.program)}: ${how}${said === '' ? '' : `: ${said}`}`,
  });
}

function collectCapped(stream: Readable, maxBytes: number, tooMuch: () => void): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxBytes) tooMuch();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks);
}

async function drained(streams: readonly Readable[]): Promise<void> {
  const closed = Promise.all(
    streams.map(
      (stream) =>
        new Promise<void>((resolve) => {
          if (stream.closed) resolve();
          else stream.once('close', resolve);
        }),
    ),
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, DRAIN_MS);
  });
  await Promise.race([closed, late]);
  clearTimeout(timer);
  for (const stream of streams) stream.destroy();
}
