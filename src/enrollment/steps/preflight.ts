import { KiwiError } from '../../core/errors.ts';
import type { Step } from '../../pipeline/step.ts';
import type { EnrollmentRun } from '../enrollment-run.ts';

/** Changes nothing, so a crash leaves nothing and there is nothing to undo. */
export const preflight: Step<EnrollmentRun> = {
  name: 'preflight',
  title: 'Check this laptop',
  inspect: () => Promise.resolve('absent'),
  async apply({ platform }) {
    await platform.preflight.check();
    // Takes a moment, and is wanted later: it is read while the key is being found. Its failure shows where it is used.
    void Promise.allSettled([platform.hardware.readHardware(), platform.hardware.readSystem()]);
    const agent = await platform.agent.status();
    // Replacing somebody else's agent would take the laptop away from whoever manages it now.
    if ((agent.version !== undefined || agent.orbitEnrolled) && !agent.configuredByUs) {
      throw new KiwiError('agent-present', { detail: `fleet-osquery ${agent.version ?? 'not from a package'}` });
    }
  },
  verify: () => Promise.resolve(),
};
