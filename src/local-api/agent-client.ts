import { lstat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';

import { z } from 'zod';

import { KiwiError, toKiwiError } from '../core/errors.ts';
import { parseStrictJson } from '../core/strict-json.ts';
import { systemErrorCode } from '../core/system-error-code.ts';
import { answerQuestion } from './answer-question.ts';
import { linesOf, writeLine } from './lines.ts';
import {
  agentMessage,
  API,
  callerMessage,
  MAX_LINE,
  type AgentMessage,
  type CallerMessage,
  type Event,
  type Question,
  type Request,
} from './messages.ts';
import { REPLIES, type Reply, type Verb } from './replies.ts';

export interface CallOptions {
  readonly onEvent?: (event: Event) => void;
  /** Answers what the agent asks. What it throws is the answer too: the agent ends the operation with it. */
  readonly answer?: (question: Question) => Promise<Exclude<CallerMessage, { type: 'cancel' | 'failed' }>>;
  /** Ends the operation, which undoes what it has to; the call ends when the agent has answered. */
  readonly signal?: AbortSignal;
}

/** The request of a verb, without what every request has. */
export type Asked<V extends Verb> = Omit<Extract<Request, { verb: V }>, 'api'>;

/** Asks the agent of this laptop, over its socket. */
export interface AgentClient {
  /** @throws KiwiError the operation's own; `agent-lost`, `agent-answer-invalid`, `agent-unavailable` */
  call<V extends Verb>(asked: Asked<V>, options?: CallOptions): Promise<Reply<V>>;
}

/**
 * The agent behind this socket, if there is one.
 * @returns undefined where there is no socket
 * @throws KiwiError `agent-untrusted` if somebody else than root could have put it there
 */
export async function findAgent(socketPath: string): Promise<AgentClient | undefined> {
  for (const [file, kind] of [
    [socketPath, 'socket'],
    [path.dirname(socketPath), 'folder'],
  ] as const) {
    const stat = await lstat(file).catch(() => undefined);
    if (stat === undefined) return undefined;
    const rightKind = kind === 'socket' ? stat.isSocket() : stat.isDirectory();
    const othersWrite = kind === 'folder' && (stat.mode & 0o022) !== 0;
    if (!rightKind || stat.uid !== 0 || othersWrite) throw new KiwiError('agent-untrusted', { detail: file });
  }
  return agentBehind(() => connected(socketPath));
}

/**
 * The agent at the other end of a connection that the caller makes, and has seen to be the system's.
 * @param connect throws KiwiError `agent-unavailable`, `agent-untrusted`
 */
export function agentBehind(connect: () => Promise<Duplex>): AgentClient {
  return { call: (asked, options = {}) => call(connect, asked, options) };
}

async function call<V extends Verb>(
  connect: () => Promise<Duplex>,
  asked: Asked<V>,
  options: CallOptions,
): Promise<Reply<V>> {
  const { signal } = options;
  signal?.throwIfAborted();
  const socket = await connect();
  const cancel = (): void => {
    writeLine(socket, { type: 'cancel' });
  };
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    writeLine(socket, { api: API, ...asked });
    for await (const line of linesOf(socket, MAX_LINE.fromAgent)) {
      const message = read(agentMessage, line) as AgentMessage;
      if (message.type === 'event') options.onEvent?.(message.event);
      // Not awaited: the agent may say meanwhile that the operation has failed.
      else if (message.type === 'question') void answerTo(socket, message.question, options);
      else if (message.type === 'error') throw message.error;
      else return parsed(REPLIES[asked.verb], message.reply) as Reply<V>;
    }
    throw new KiwiError('agent-lost');
  } catch (error) {
    if (!(error instanceof KiwiError) && systemErrorCode(error) !== undefined)
      throw new KiwiError('agent-lost', { cause: error });
    throw toKiwiError(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
    socket.destroy();
  }
}

const NO_KEY = (): Promise<never> =>
  Promise.reject(new KiwiError('internal', { detail: 'this program has no key to lend' }));

async function answerTo(socket: Duplex, question: Question, { answer = NO_KEY }: CallOptions): Promise<void> {
  writeLine(socket, z.encode(callerMessage, await answerQuestion(question, answer)));
}

function connected(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once('error', (cause) => {
      reject(new KiwiError('agent-unavailable', { detail: systemErrorCode(cause) ?? cause.message, cause }));
    });
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      // Reading tells of it too; without a listener it would end the process.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

function read(schema: z.ZodType, line: Buffer): unknown {
  try {
    return parsed(schema, parseStrictJson(line, MAX_LINE.fromAgent));
  } catch (error) {
    if (error instanceof KiwiError) throw error;
    throw new KiwiError('agent-answer-invalid', { detail: 'not JSON', cause: error });
  }
}

function parsed(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues.slice(0, 3).map((issue) => `${issue.path.join('.')}: ${issue.code}`);
  throw new KiwiError('agent-answer-invalid', { detail: fields.join('; ') });
}
