import type { Socket } from 'node:net';

import { isErrorCode } from '../core/error-codes.ts';
import { KiwiError, toKiwiError } from '../core/errors.ts';
import { LineChannel } from './line-channel.ts';
import {
  agentMessage,
  type AgentMessage,
  type AgentRequest,
  type CallerMessage,
  type KeyAnswer,
  type KeyQuestion,
} from './messages.ts';

export interface Through {
  /** Answers what the agent asks about the YubiKey. Without it, the agent is told that there is none. */
  readonly answer?: (question: KeyQuestion) => Promise<KeyAnswer>;
  readonly output: (stream: 'stdout' | 'stderr', text: string) => void;
  /** The person's wish to stop: the command undoes its changes and ends. */
  readonly signal: AbortSignal;
}

/**
 * Lets the agent carry out a command, on a connection that is made for it and closed with it.
 * @returns its exit code
 * @throws KiwiError `agent-gone`, `agent-message-invalid`
 */
export async function runThroughAgent(socket: Socket, request: AgentRequest, through: Through): Promise<number> {
  const channel = new LineChannel(socket, agentMessage);
  const cancel = (): void => channel.send({ type: 'cancel' } satisfies CallerMessage);
  through.signal.addEventListener('abort', cancel, { once: true });
  try {
    channel.send(request);
    if (through.signal.aborted) cancel();
    for (;;) {
      const message = await channel.next();
      if (message.type === 'end') return message.exitCode;
      if (message.type === 'refused') throw refusal(message);
      if (message.type === 'output') through.output(message.stream, message.text);
      else void reply(channel, message.id, message.question, through.answer);
    }
  } finally {
    through.signal.removeEventListener('abort', cancel);
    socket.destroy();
  }
}

function refusal({ code, detail }: Extract<AgentMessage, { type: 'refused' }>): KiwiError {
  if (!isErrorCode(code)) return new KiwiError('agent-message-invalid', { detail: `the agent refused with ${code}` });
  return new KiwiError(code, detail === undefined ? {} : { detail });
}

/** Not awaited: while a key waits for a touch, the agent's output goes on. */
async function reply(
  channel: LineChannel<unknown>,
  id: number,
  question: KeyQuestion,
  answer: Through['answer'],
): Promise<void> {
  try {
    if (answer === undefined) throw new KiwiError('key-absent');
    channel.send({ type: 'answer', id, answer: await answer(question) } satisfies CallerMessage);
  } catch (thrown) {
    const { code, detail } = toKiwiError(thrown);
    const told = detail === undefined ? {} : { detail: detail.slice(0, 1000) };
    channel.send({ type: 'refusal', id, code, ...told } satisfies CallerMessage);
  }
}
