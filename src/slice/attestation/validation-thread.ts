import { Worker } from 'node:worker_threads';

import type { Clock } from '../../core/clock.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { RequestContext } from '../slice-context.ts';
import type { OpenedSession, ValidStatement } from './validate-statement.ts';

export interface ValidationQuestion {
  readonly id: number;
  readonly session: OpenedSession;
  readonly body: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface ValidationAnswer {
  readonly id: number;
  /** What the statement claims to come from, once that could be read: the audit names it. */
  readonly yubikeySerial?: number;
  readonly valid?: ValidStatement;
  readonly refusal?: { readonly code: ErrorCode; readonly detail?: string };
}

/** Decides about statements as `validateStatement` does. */
export interface StatementValidator {
  validate(session: OpenedSession, body: string, request: RequestContext): Promise<ValidStatement>;
  stop(): Promise<void>;
}

/**
 * Validates in a second thread: half of what an enrollment costs the gateway is the arithmetic of a statement (one
 * decryption, eight signatures, five certificates), and while that goes on the first thread can talk to the others. The
 * thread reads what `init` wrote and, with a connection of its own, the registry; it writes nothing. When it dies, what it had
 * in hand fails as `internal`, which may be sent again, and another is started; when that fails too, by the next statement.
 */
export async function startValidationThread(dir: string, clock: Clock): Promise<StatementValidator> {
  let current: Promise<Thread> | undefined;
  let stopping = false;
  const thread = (): Promise<Thread> => (current ??= start());

  async function start(): Promise<Thread> {
    try {
      return await startThread(dir, () => {
        current = undefined;
        // Now and not with the next statement, which would wait for it; that one tells the person if it fails.
        if (!stopping) thread().catch(() => undefined);
      });
    } catch (error) {
      current = undefined;
      throw error;
    }
  }

  await thread();
  return {
    async validate({ id, privateKey, challengeHash, deviceKeyThumbprint }, body, request) {
      const session = { id, privateKey, challengeHash, deviceKeyThumbprint };
      let answer: ValidationAnswer;
      try {
        answer = await (await thread()).ask({ session, body, now: clock.now() });
      } catch (error) {
        throw new KiwiError('internal', { detail: 'the validation thread ended', cause: error });
      }
      if (answer.yubikeySerial !== undefined) request.yubikeySerial = answer.yubikeySerial;
      if (answer.valid !== undefined) return answer.valid;
      const { code, detail } = answer.refusal ?? { code: 'internal' as const };
      throw new KiwiError(code, detail === undefined ? {} : { detail });
    },
    async stop() {
      stopping = true;
      await (await current?.catch(() => undefined))?.stop();
    },
  };
}

interface Thread {
  /** Rejects when the thread ends before it has answered, or has ended. */
  ask(question: Omit<ValidationQuestion, 'id'>): Promise<ValidationAnswer>;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

/** @throws when the thread ends before it is ready; `ended` is called only for one that was */
async function startThread(dir: string, ended: () => void): Promise<Thread> {
  const worker = new Worker(new URL('./validation-worker.ts', import.meta.url), { workerData: { dir } });
  const waiting = new Map<number, { resolve: (answer: ValidationAnswer) => void; reject: (error: Error) => void }>();
  let failure: Error | undefined;
  let count = 0;
  // `exit` follows and does what is to be done; without a listener the error would end the gateway.
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new TypeError('not an error', { cause: error });
  });
  const exited = new Promise<Error>((resolve) => {
    worker.once('exit', (code) => {
      failure ??= new Error(`exit ${code}`);
      for (const { reject } of waiting.values()) reject(failure);
      waiting.clear();
      resolve(failure);
    });
  });
  const ready = new Promise<undefined>((resolve) => {
    worker.once('message', () => resolve(undefined));
  });
  const early = await Promise.race([ready, exited]);
  if (early !== undefined) throw early;
  worker.on('message', (answer: ValidationAnswer) => {
    waiting.get(answer.id)?.resolve(answer);
    waiting.delete(answer.id);
  });
  void exited.then(ended);
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure);
          return;
        }
        const id = ++count;
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, ...question } satisfies ValidationQuestion);
      }),
    async stop() {
      worker.postMessage('stop');
      await exited;
    },
  };
}
