import { agentConnection, runsAsRoot, selectPasswordPrompt } from '../../../platform/select.ts';
import { agentBehind, findAgent, type AgentClient } from '../../local-api/agent-client.ts';
import { AGENT_SOCKET, type Event } from '../../local-api/messages.ts';
import type { Reply } from '../../local-api/replies.ts';
import { operate, type PlainRequest, type PlainVerb } from '../../laptop/service/operate.ts';
import type { EnrollOutput } from './enroll-output.ts';
import { laptopContext } from './laptop-context.ts';

/**
 * The agent, for who is not root; root does without it, so that a broken agent keeps nobody from repairing it. Who is at a terminal can be
 * asked for a password there.
 */
export async function agentForUs(): Promise<AgentClient | undefined> {
  if (runsAsRoot()) return undefined;
  const connect = await agentConnection();
  if (connect === 'no agent') return undefined;
  const agent = connect === undefined ? await findAgent(AGENT_SOCKET) : agentBehind(connect);
  if (agent === undefined || !process.stdin.isTTY) return agent;
  return {
    call: async (asked, options) => {
      const endPrompt = await selectPasswordPrompt()();
      return agent.call(asked, options).finally(endPrompt);
    },
  };
}

/** Has it done by the agent, or does it here. Both answer the same. */
export async function askLaptop<V extends PlainVerb>(
  request: Extract<PlainRequest, { verb: V }>,
  options: { readonly signal: AbortSignal; readonly output?: EnrollOutput; readonly onEvent?: (event: Event) => void },
): Promise<Reply<V>> {
  const { signal, output, onEvent } = options;
  const report = (event: Event): void => {
    onEvent?.(event);
    if (output !== undefined) tell(output, event);
  };
  const agent = await agentForUs();
  if (agent !== undefined) return agent.call<V>(request as never, { signal, onEvent: report });
  return operate(await laptopContext(signal, output), request, report);
}

/** Tells the person what an operation reports, wherever it runs. */
export function tell(output: EnrollOutput, event: Event): void {
  switch (event.type) {
    case 'waiting':
      output.waiting(event.for);
      break;
    case 'key-found':
      output.person.keyFound(event);
      break;
    case 'slice-proven':
      output.person.sliceProven(event);
      break;
    case 'examined':
    case 'repair-started':
    case 'repair-done':
    case 'repair-failed':
    case 'looked':
    case 'tunnel-waits':
      // Of commands that show them by themselves.
      break;
    default:
      output.event(event);
  }
}

/** For a command that changes nothing: a signal may simply end the program. */
export const NEVER = new AbortController().signal;
