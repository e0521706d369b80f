import type { Clock } from '../../core/clock.ts';
import type { KiwiError } from '../../core/errors.ts';
import type { FleetAgent } from '../system/fleet-agent.ts';
import { classifyAgentLog, FinalReason } from './classify-agent-log.ts';

export interface WaitOptions {
  readonly agent: FleetAgent;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Wall clock: earlier log lines belong to another installation. */
  readonly installedAt: number;
  readonly signal?: AbortSignal | undefined;
}

const POLL_MS = 50;
/** How often the log is read: a server that has refused will not accept a minute later. */
const LOG_EVERY_MS = 1000;

/**
 * Waits until orbit has its node key: the first plane. Only Fleet knows whether osquery has enrolled.
 *
 * @throws KiwiError the class of failure that the log shows: early when the server refuses, otherwise at the time-out
 */
export async function waitForNodeKey(options: WaitOptions): Promise<void> {
  const { agent, clock, timeoutMs, installedAt, signal } = options;
  const reason = async (): Promise<KiwiError> => classifyAgentLog(await agent.log(installedAt), await agent.status());
  const deadline = clock.monotonic() + timeoutMs;
  const final = new FinalReason();
  let nextLook = clock.monotonic() + LOG_EVERY_MS;
  for (;;) {
    if (await agent.orbitEnrolled()) return;
    const now = clock.monotonic();
    if (now >= nextLook || now >= deadline) {
      const why = await reason();
      // It may have enrolled while the log was read.
      if (await agent.orbitEnrolled()) return;
      if (now >= deadline || final.hasSettled(why, now)) throw why;
      nextLook = now + LOG_EVERY_MS;
    }
    await clock.sleep(POLL_MS, signal);
  }
}
