import type { Socket } from 'node:net';

import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { KEY_CODES } from '../../core/key-codes.ts';
import { printable } from '../../core/log.ts';
import { LineChannel } from '../../local-api/line-channel.ts';
import {
  agentRequest,
  callerMessage,
  MAX_TEXT,
  type AgentMessage,
  type AgentRequest,
  type CallerMessage,
  type KeyAnswer,
  type KeyQuestion,
} from '../../local-api/messages.ts';
import type { Authority, Caller } from '../system/authority.ts';
import { endsWithCaller, permissionFor } from './permissions.ts';

/** Who connects has a command in mind: a connection that says nothing only holds a place. */
const PATIENCE_MS = 10_000;
const ROOT = 0;

type Incoming = AgentRequest | CallerMessage;

/** What a command is given that runs for somebody else. */
export interface Conversation {
  /** Aborted when the caller cancels, or goes away from a command that ends with its caller. */
  readonly signal: AbortSignal;
  readonly say: (stream: 'stdout' | 'stderr', text: string) => void;
  /** @throws KiwiError with the caller's code, or `agent-gone` */
  readonly ask: (question: KeyQuestion, signal?: AbortSignal) => Promise<KeyAnswer>;
}

/**
 * Serves one connection: reads the request, asks whether this caller may, carries the command out, and ends with its exit code.
 * @param carryOut the command; it reports its own errors
 */
export async function serveCaller(
  socket: Socket,
  { caller, authority, patienceMs = PATIENCE_MS }: { caller: Caller; authority: Authority; patienceMs?: number },
  carryOut: (request: AgentRequest, conversation: Conversation) => Promise<number>,
): Promise<void> {
  const channel = new LineChannel<Incoming>(socket, agentRequest.or(callerMessage));
  const send = (message: AgentMessage): void => channel.send(message);
  const say: Conversation['say'] = (stream, text) => {
    for (let at = 0; at < text.length; at += MAX_TEXT)
      send({ type: 'output', stream, text: text.slice(at, at + MAX_TEXT) });
  };
  try {
    const request = await firstOf(channel, patienceMs);
    const allowed =
      caller.uid === ROOT ||
      (await authority.allows(caller, permissionFor(request), channel.closed).catch(() => false));
    if (!allowed) throw new KiwiError('not-allowed', { detail: permissionFor(request) });
    send({ type: 'end', exitCode: await converse(channel, request, say, carryOut) });
  } catch (thrown) {
    const error = toKiwiError(thrown);
    send({
      type: 'refused',
      code: error.code,
      ...(error.detail === undefined ? {} : { detail: error.detail.slice(0, 1000) }),
    });
  } finally {
    await channel.finish();
  }
}

async function firstOf(channel: LineChannel<Incoming>, patienceMs: number): Promise<AgentRequest> {
  const message = await channel.next(AbortSignal.timeout(patienceMs));
  if ('verb' in message) return message;
  throw new KiwiError('agent-message-invalid', { detail: 'a request comes first' });
}

async function converse(
  channel: LineChannel<Incoming>,
  request: AgentRequest,
  say: Conversation['say'],
  carryOut: (request: AgentRequest, conversation: Conversation) => Promise<number>,
): Promise<number> {
  const cancelled = new AbortController();
  const open = new Map<number, { resolve: (message: CallerMessage) => void; reject: (error: Error) => void }>();
  let asked = 0;
  const gone = (): void => {
    for (const { reject } of open.values()) reject(new KiwiError('agent-gone'));
    open.clear();
    if (endsWithCaller(request)) cancelled.abort();
  };
  channel.closed.addEventListener('abort', gone, { once: true });
  void listen(channel, (message) => {
    if (message.type === 'cancel') {
      cancelled.abort();
      return;
    }
    // An answer to nothing is left unread: the question may have been given up.
    open.get(message.id)?.resolve(message);
    open.delete(message.id);
  });
  if (channel.closed.aborted) gone();
  return carryOut(request, {
    signal: cancelled.signal,
    say,
    ask: async (question, signal) => {
      const id = ++asked;
      const reply = await new Promise<CallerMessage>((resolve, reject) => {
        if (channel.closed.aborted) reject(new KiwiError('agent-gone'));
        open.set(id, { resolve, reject });
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        channel.send({ type: 'ask', id, question } satisfies AgentMessage);
      });
      if (reply.type === 'answer') return reply.answer;
      throw refusalOf(reply);
    },
  });
}

async function listen(channel: LineChannel<Incoming>, take: (message: CallerMessage) => void): Promise<void> {
  for (;;) {
    const message = await channel.next().catch(() => undefined);
    if (message === undefined) return;
    if ('verb' in message) continue; // one command a connection
    take(message);
  }
}

function refusalOf(message: Exclude<CallerMessage, { type: 'answer' }>): KiwiError {
  if (message.type === 'cancel') return new KiwiError('cancelled');
  const { code, detail } = message;
  // Only what can be wrong with a YubiKey: the caller does not choose what this program believes of anything else.
  if (code === 'cancelled' || code === 'session-expired') return new KiwiError(code);
  if (!(code in KEY_CODES)) return new KiwiError('key-fault', { detail: `the caller said ${code}` });
  return new KiwiError(code as keyof typeof KEY_CODES, detail === undefined ? {} : { detail: printable(detail) });
}
