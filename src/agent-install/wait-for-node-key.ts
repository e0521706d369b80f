import type { Clock } from '../core/clock.ts';
import type { AgentPackage } from './agent-package.ts';
import { classifyAgentLog } from './classify-agent-log.ts';

export interface WaitOptions {
  readonly agent: AgentPackage;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Wall clock: what the agent said before is of another installation. */
  readonly installedAt: number;
  readonly signal?: AbortSignal | undefined;
}

const POLL_MS = 50;

/**
 * Waits until orbit has its node key: the first plane. Whether osquery has enrolled only Fleet can say.
 *
 * @throws KiwiError the class of failure that the log shows, when there is no key in time
 */
export async function waitForNodeKey(options: WaitOptions): Promise<void> {
  const { agent, clock, timeoutMs, installedAt, signal } = options;
  const deadline = clock.monotonic() + timeoutMs;
  for (;;) {
    if (await agent.orbitEnrolled()) return;
    if (clock.monotonic() >= deadline) throw classifyAgentLog(await agent.log(installedAt), await agent.status());
    await clock.sleep(POLL_MS, signal);
  }
}
