import { systemClock } from '../../core/clock.ts';
import { answerAgent, type KeyHolder } from '../../key-holder/answer-agent.ts';
import { agentListens, connectToAgent } from '../../local-api/agent-socket.ts';
import { LOCAL_API, type AgentRequest } from '../../local-api/messages.ts';
import { runThroughAgent } from '../../local-api/run-through-agent.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';

type WithoutApi<Request> = Request extends { api: unknown } ? Omit<Request, 'api'> : never;

/**
 * Carries a command out here, or, for somebody who is not root where the agent is installed, through the agent.
 * @param holder has the YubiKey, for an enrollment; it is given the person's wish to stop
 * @returns the exit code
 */
export async function hereOrThroughAgent(
  request: WithoutApi<AgentRequest>,
  here: () => Promise<number>,
  holder?: (signal: AbortSignal) => Omit<KeyHolder, 'now' | 'signal'>,
): Promise<number> {
  if (process.geteuid?.() === 0 || !agentListens()) return here();
  const signal = cancelOnSignals();
  const key = holder && answerAgent({ ...holder(signal), now: () => systemClock.monotonic(), signal });
  const answer = key === undefined ? {} : { answer: key.answer };
  try {
    return await runThroughAgent(
      await connectToAgent(),
      { api: LOCAL_API, ...request },
      {
        output: (stream, text) => void process[stream].write(text),
        signal,
        ...answer,
      },
    );
  } finally {
    await key?.close();
  }
}
