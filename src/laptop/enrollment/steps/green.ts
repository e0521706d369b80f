import { KiwiError } from '../../../core/errors.ts';
import { classifyAgentLog, FinalReason } from '../../fleet-agent/classify-agent-log.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

const DEADLINE_MS = 180_000;
/** How often the slice is asked in the first seconds, and afterwards. */
const POLL_MS = [250, 1000] as const;
const HASTE_MS = 10_000;
/** How often the agent's log is read: that costs more than the question. */
const LOG_EVERY_MS = 1000;

/**
 * Waits until Fleet, asked by the slice and not by this laptop, reports the laptop as online with both versions. Then the
 * enroll secret on disk is replaced with a dummy and the record is final.
 */
export const green: EnrollmentStep = {
  name: 'green',
  title: 'Wait until online in Fleet',
  inspect: () => Promise.resolve('absent'),

  async apply(run) {
    const { clock } = run.options;
    const client = await run.client();
    const device = await run.device();
    // Only what the agent has logged since this enrollment began, which includes its installation.
    const begun = new Date(run.record.startedAt).getTime();
    const start = clock.monotonic();
    const deadline = start + DEADLINE_MS;
    const final = new FinalReason();
    let nextLook = start;
    for (;;) {
      const last = await client.status(device, undefined, run.signal);
      if (last.state === 'ended') throw new KiwiError('device-ended');
      if (last.fleet?.green === true) break;
      const now = clock.monotonic();
      if (now >= nextLook || now > deadline) {
        const { agent } = run.platform;
        const reason = classifyAgentLog(await agent.log(begun), await agent.status());
        if (final.hasSettled(reason, now) || now > deadline) throw reason;
        nextLook = now + LOG_EVERY_MS;
      }
      await clock.sleep(POLL_MS[now - start < HASTE_MS ? 0 : 1], run.signal);
    }
    await run.platform.agent.forgetSecret();
    await run.finish();
  },

  verify: () => Promise.resolve(),
};
