import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

import { BUILD_KIND } from '../core/build-kind.ts';
import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { MINIMAL_ENVIRONMENT } from '../programs/minimal-environment.ts';
import { spawnProgram, type RunningProgram } from '../programs/spawn-program.ts';
import { hintFor } from './hint-for.ts';
import { readPcscdReaders, type PcscdReaders } from './pcscd-readers.ts';
import { triesLeft, type PinState } from './pin.ts';
import { bodyLength, frameHead, openBody } from './wire/frame.ts';
import { hostAnswers, hostReply, type HostAnswer, type HostRequest } from './wire/messages.ts';

export interface AskOptions {
  /** Sent after the request as raw bytes; the caller clears it. */
  readonly pin?: SecretBytes;
  /** The PIN was accepted and the key is now used. */
  onSigning?(): void;
  /** How long to wait for the answer, milliseconds. Default: as long as the slowest request takes. */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

/** Answers requests about keys: the child process, or a fake in tests. Requests are handled one at a time. */
export interface KeyHost {
  /**
   * @throws KiwiError with the host's code; the signal's AbortError when aborted, and then nothing continues in the
   * background
   */
  ask<Op extends HostRequest['op']>(
    request: Extract<HostRequest, { op: Op }>,
    options?: AskOptions,
  ): Promise<HostAnswer<Op>>;
  /** What the smart-card service itself reports about its readers. */
  readers(): Promise<PcscdReaders>;
  close(): Promise<void>;
}

/** No request takes longer: the wait for a touch takes 15 s, and a busy reader may take that long once more. */
const PATIENCE_MS = 60_000;

/**
 * The child process that owns the PKCS#11 module. It is started at the first request, killed on abort (a waiting C_Sign
 * cannot be interrupted otherwise) and after every request with a PIN (pkcs11js needs the PIN as a string, which only the end
 * of its process clears), and started again when needed.
 */
export class TokenHost implements KeyHost {
  readonly #modulePath: string;
  readonly #nodePath: string;
  #child: Promise<RunningProgram> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(modulePath: string, nodePath: string) {
    this.#modulePath = modulePath;
    this.#nodePath = nodePath;
  }

  /** Starts the child early, so that no request has to wait for its start. */
  warmUp(): void {
    this.#start().catch(() => undefined); // the first request reports the failure
  }

  async ask<Op extends HostRequest['op']>(
    request: Extract<HostRequest, { op: Op }>,
    options: AskOptions = {},
  ): Promise<HostAnswer<Op>> {
    const before = this.#last;
    const mine = before.then(() => this.#askNow(request, options));
    this.#last = mine.catch(() => undefined);
    return mine as Promise<HostAnswer<Op>>;
  }

  readers(): Promise<PcscdReaders> {
    return readPcscdReaders();
  }

  async close(): Promise<void> {
    await this.#end();
  }

  async #askNow(request: HostRequest, options: AskOptions): Promise<unknown> {
    const { pin, signal } = options;
    // What is left of a wait has fractions of a millisecond, which a timer does not take.
    const patienceMs = Math.ceil(Math.min(options.patienceMs ?? PATIENCE_MS, PATIENCE_MS));
    signal?.throwIfAborted();
    const child = await this.#start().catch(async (error: unknown) => {
      await this.#end();
      throw error;
    });
    const channel = child.channels[0];
    if (channel === undefined) throw new TypeError('the token host has one channel');
    const kill = (): void => child.kill();
    const patience = AbortSignal.timeout(patienceMs);
    patience.addEventListener('abort', kill, { once: true });
    signal?.addEventListener('abort', kill, { once: true });
    let healthy = false;
    try {
      if (signal?.aborted === true) kill();
      await write(channel, frameHead(request, pin?.length ?? 0));
      if (pin !== undefined) await write(channel, pin.bytes);
      for (;;) {
        const reply = hostReply.parse(openBody(await readBody(channel)).message);
        if ('event' in reply) {
          options.onSigning?.();
          continue;
        }
        healthy = true;
        if (!reply.ok) throw refused(reply);
        return hostAnswers[request.op].parse(reply.answer);
      }
    } catch (error) {
      if (error instanceof KiwiError) throw error;
      signal?.throwIfAborted();
      if (patience.aborted) {
        const detail = `no answer to "${request.op}" within ${Math.round(patienceMs / 1000)} s`;
        throw new KiwiError('key-service-hangs', { detail, cause: error, ...hintFor('key-service-hangs') });
      }
      throw new KiwiError('key-fault', { detail: 'the token host exited or sent an invalid message', cause: error });
    } finally {
      patience.removeEventListener('abort', kill);
      signal?.removeEventListener('abort', kill);
      if (!healthy || pin !== undefined) await this.#end();
    }
  }

  #start(): Promise<RunningProgram> {
    this.#child ??= spawnProgram({
      program: this.#nodePath,
      // A signal must not open a debugger on the process that sees the PIN.
      args: ['--disable-sigusr1', '--disable-warning=ExperimentalWarning', HOST, this.#modulePath],
      ...placeFor(this.#modulePath),
      channels: 1,
    }).then((child) => {
      child.stdin.end();
      child.stdout.resume();
      child.stderr.resume();
      return child;
    });
    return this.#child;
  }

  async #end(): Promise<void> {
    const starting = this.#child;
    this.#child = undefined;
    const child = await starting?.catch(() => undefined);
    child?.kill();
    await child?.exited;
  }
}

/** Next to this file; in a built program, next to the program. */
const HOST = fileURLToPath(new URL(BUILD_KIND === 'source' ? './host/main.ts' : './token-host.js', import.meta.url));

/** Windows looks for libraries in the current folder too, which is our caller's: the host is in the module's, and confines itself to that. */
function placeFor(modulePath: string): { env?: Record<string, string>; cwd?: string } {
  if (process.platform !== 'win32') return { env: { ...MINIMAL_ENVIRONMENT } };
  return { cwd: path.dirname(modulePath) };
}

function refused(reply: { code: KiwiError['code']; detail: string; pin?: PinState | undefined }): KiwiError {
  const tries = reply.pin === undefined ? '' : `${triesLeft(reply.pin)}; `;
  return new KiwiError(reply.code, { detail: `${tries}${reply.detail}`, ...hintFor(reply.code) });
}

function write(channel: Duplex, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

async function readBody(channel: Duplex): Promise<Buffer> {
  const head = await readExactly(channel, 4);
  return readExactly(channel, bodyLength(head));
}

function readExactly(channel: Duplex, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const attempt = (): void => {
      const chunk = channel.read(length) as Buffer | null;
      if (chunk?.length === length) settle(() => resolve(chunk));
      else if (chunk !== null || channel.readableEnded || channel.destroyed) ended();
    };
    const ended = (): void => settle(() => reject(new Error('the token host has ended')));
    const settle = (act: () => void): void => {
      channel.off('readable', attempt).off('end', ended).off('close', ended);
      act();
    };
    channel.on('readable', attempt).on('end', ended).on('close', ended);
    attempt();
  });
}
