import { KiwiError } from '../../../core/errors.ts';
import { classifyAgentLog, FinalReason } from '../../fleet-agent/classify-agent-log.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

const DEADLINE_MS = 180_000;
const POLL_MS = 500;

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
    const deadline = clock.monotonic() + DEADLINE_MS;
    const final = new FinalReason();
    for (;;) {
      const last = await client.status(device, undefined, run.signal);
      if (last.state === 'ended') throw new KiwiError('device-ended');
      if (last.fleet?.green === true) break;
      const { agent } = run.platform;
      const reason = classifyAgentLog(await agent.log(begun), await agent.status());
      const now = clock.monotonic();
      if (final.hasSettled(reason, now) || now > deadline) throw reason;
      await clock.sleep(POLL_MS, run.signal);
    }
    await run.platform.agent.forgetSecret();
    await run.finish();
  },

  verify: () => Promise.resolve(),
};
