import { KiwiError } from '../../../core/errors.ts';
import { classifyAgentLog, FinalReason } from '../../fleet-agent/classify-agent-log.ts';
import type { EnrollmentRun, EnrollmentStep } from '../enrollment-run.ts';
import { orWait } from '../or-wait.ts';

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

  apply: (run) => untilGreen(run, DEADLINE_MS),

  verify: () => Promise.resolve(),
};

async function untilGreen(run: EnrollmentRun, deadlineMs: number): Promise<void> {
  const { clock } = run.options;
  const client = await run.client();
  const device = await run.device();
  // Only what the agent has logged since this enrollment began, which includes its installation.
  const begun = new Date(run.record.startedAt).getTime();
  const deadline = clock.monotonic() + deadlineMs;
  const final = new FinalReason();
  for (;;) {
    const last = await client.status(device, {}, run.signal);
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
}

const READY_MS = 20_000;

/** The same after a claim, whose token is used up: Fleet may take as long as it likes, and nothing is undone because of it. */
export const ready: EnrollmentStep = {
  ...green,
  name: 'ready',
  apply: (run) => orWait(run, untilGreen(run, READY_MS), { for: 'Fleet', againMs: 5000, final: ['device-ended'] }),
};
