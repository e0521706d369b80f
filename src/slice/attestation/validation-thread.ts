import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import type { Clock } from '../../core/clock.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Session } from '../registry/registry.ts';
import type { RequestContext } from '../slice-context.ts';
import type { ValidStatement } from './validate-statement.ts';

export interface ValidationQuestion {
  readonly id: number;
  readonly session: Session;
  readonly body: string;
  readonly request: RequestContext;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface ValidationAnswer {
  readonly id: number;
  /** With what became known on the way: the audit names it. */
  readonly request: RequestContext;
  readonly valid?: ValidStatement;
  readonly refusal?: { readonly code: ErrorCode; readonly detail?: string };
}

/** Decides about statements as `validateStatement` does. */
export interface StatementValidator {
  validate(session: Session, body: string, request: RequestContext): Promise<ValidStatement>;
  stop(): Promise<void>;
}

/**
 * Validates in a second thread: half of what an enrollment costs the gateway is the arithmetic of a statement (one
 * decryption, eight signatures, five certificates), and while that goes on the first thread can talk to the others. The
 * thread reads what `init` wrote and, with a connection of its own, the registry; it writes nothing. When it dies, what it had
 * in hand fails as `internal`, which may be sent again, and another is started.
 */
export async function startValidationThread(dir: string, clock: Clock): Promise<StatementValidator> {
  const waiting = new Map<number, (answer: ValidationAnswer | Error) => void>();
  let count = 0;
  let stopping = false;
  let worker = await start();

  async function start(): Promise<Worker> {
    const thread = new Worker(new URL('./validation-worker.ts', import.meta.url), { workerData: { dir } });
    await once(thread, 'message');
    thread.on('message', (answer: ValidationAnswer) => waiting.get(answer.id)?.(answer));
    // Without a listener an error would end the gateway; `exit` follows and does what is to be done.
    thread.on('error', () => undefined);
    thread.once('exit', () => {
      for (const settle of waiting.values()) settle(new Error('the validation thread ended'));
      if (!stopping) void start().then((next) => (worker = next));
    });
    return thread;
  }

  return {
    async validate(session, body, request) {
      const id = ++count;
      const answer = await new Promise<ValidationAnswer | Error>((settle) => {
        waiting.set(id, settle);
        worker.postMessage({ id, session, body, request, now: clock.now() } satisfies ValidationQuestion);
      });
      waiting.delete(id);
      if (answer instanceof Error) throw new KiwiError('internal', { detail: answer.message });
      Object.assign(request, answer.request);
      if (answer.valid !== undefined) return answer.valid;
      const { code, detail } = answer.refusal ?? { code: 'internal' as const };
      throw new KiwiError(code, detail === undefined ? {} : { detail });
    },
    async stop() {
      stopping = true;
      const ended = once(worker, 'exit');
      worker.postMessage('stop');
      await ended;
    },
  };
}
