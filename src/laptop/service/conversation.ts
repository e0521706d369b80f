import type { Socket } from 'node:net';

import { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import { parseStrictJson } from '../../core/strict-json.ts';
import { linesOf, writeLine } from '../../local-api/lines.ts';
import {
  agentMessage,
  callerMessage,
  MAX_LINE,
  request as requestSchema,
  type CallerMessage,
  type Event,
  type Question,
  type Request,
} from '../../local-api/messages.ts';
import { REPLIES, type Reply, type Verb } from '../../local-api/replies.ts';

/** How long a caller may take for its request, and for reading the end of the answer. */
const PATIENCE_MS = 5_000;

type Answer = Exclude<CallerMessage, { type: 'cancel' | 'failed' }>;
interface Open {
  readonly settle: (answer: Answer) => void;
  readonly fail: (error: Error) => void;
}

/** One connection, as the agent sees it. */
export class Conversation {
  readonly #socket: Socket;
  readonly #lines: AsyncGenerator<Buffer>;
  #open: Open | undefined;
  /** The caller wants the operation to end. */
  readonly cancelled = new AbortController();
  /** The caller is gone, or said something that is no message. */
  readonly left = new AbortController();

  constructor(socket: Socket) {
    this.#socket = socket;
    // What happens to it is seen where it is read.
    socket.on('error', () => undefined);
    this.#lines = linesOf(socket, MAX_LINE.toAgent);
  }

  /** @throws KiwiError `agent-answer-invalid` when it is not a request, or does not come in time */
  async request(): Promise<Request> {
    const patience = setTimeout(() => this.#socket.destroy(), PATIENCE_MS);
    try {
      const first = await this.#lines.next();
      if (first.done === true) throw invalid('no request');
      return parsed(requestSchema, first.value);
    } catch (error) {
      throw error instanceof KiwiError ? error : invalid('no request', error);
    } finally {
      clearTimeout(patience);
    }
  }

  /** Reads what the caller says after its request, until it is gone. */
  async listen(): Promise<void> {
    try {
      for await (const line of this.#lines) {
        const message = parsed(callerMessage, line);
        if (message.type === 'cancel') this.cancelled.abort();
        else this.#answered(message);
      }
    } catch {
      // A broken message or a broken connection: the caller is not to be relied on any more.
    }
    this.left.abort();
    this.#open?.fail(new KiwiError('cancelled', { detail: 'the caller went away' }));
  }

  event(event: Event): void {
    writeLine(this.#socket, z.encode(agentMessage, { type: 'event', event }));
  }

  /** @throws KiwiError the caller's reason, or `cancelled` when it is gone or the signal fires */
  async ask<T extends Answer['type']>(
    question: Question,
    expected: T,
    signal: AbortSignal,
  ): Promise<Extract<Answer, { type: T }>> {
    if (this.#open !== undefined) throw new TypeError('one question at a time');
    signal.throwIfAborted();
    const stop = (): void => this.#open?.fail(new KiwiError('cancelled'));
    signal.addEventListener('abort', stop, { once: true });
    try {
      const answer = await new Promise<Answer>((settle, fail) => {
        this.#open = { settle, fail };
        if (this.left.signal.aborted) fail(new KiwiError('cancelled', { detail: 'the caller went away' }));
        writeLine(this.#socket, { type: 'question', question });
      });
      if (answer.type !== expected) throw invalid(`${answer.type} is no answer to it`);
      return answer as Extract<Answer, { type: T }>;
    } finally {
      this.#open = undefined;
      signal.removeEventListener('abort', stop);
    }
  }

  reply<V extends Verb>(verb: V, reply: Reply<V>): void {
    this.#end({ type: 'reply', reply: z.encode(REPLIES[verb] as z.ZodType, reply) });
  }

  refuse(error: KiwiError): void {
    this.#end(z.encode(agentMessage, { type: 'error', error }));
  }

  #end(message: unknown): void {
    writeLine(this.#socket, message);
    this.#socket.end();
    // A caller that does not read must not keep the agent from ending.
    const patience = setTimeout(() => this.#socket.destroy(), PATIENCE_MS);
    this.#socket.once('close', () => {
      clearTimeout(patience);
    });
  }

  #answered(message: Exclude<CallerMessage, { type: 'cancel' }>): void {
    // Nobody asked: it may have crossed with the end of the operation.
    if (message.type === 'failed') this.#open?.fail(message.error);
    else this.#open?.settle(message);
  }
}

function parsed<S extends z.ZodType>(schema: S, line: Buffer): z.output<S> {
  try {
    return schema.parse(parseStrictJson(line, MAX_LINE.toAgent));
  } catch (error) {
    throw invalid(error instanceof SyntaxError ? error.message : 'it has not the form of a message', error);
  }
}

const invalid = (detail: string, cause?: unknown): KiwiError =>
  new KiwiError('agent-answer-invalid', { detail, cause });
