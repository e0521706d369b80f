import { KiwiError } from '../../../core/errors.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/** Changes nothing, so a crash leaves nothing and there is nothing to undo. */
export const preflight: EnrollmentStep = {
  name: 'preflight',
  title: 'Check this laptop',
  inspect: () => Promise.resolve('absent'),
  async apply(run) {
    const { platform } = run;
    // These take a moment and are needed later; failures surface where they are used. A signed statement needs no key.
    if (run.recordIfAny?.exchange?.statement === undefined) run.warmUpToken();
    await platform.preflight.check();
    void Promise.allSettled([platform.hardware.readHardware(), platform.hardware.readSystem()]);
    const agent = await platform.agent.status();
    // Replacing somebody else's agent would take the laptop away from its present management.
    if ((agent.version !== undefined || agent.orbitEnrolled) && !agent.configuredByUs) {
      throw new KiwiError('agent-present', { detail: `fleet-osquery ${agent.version ?? 'not from a package'}` });
    }
  },
  verify: () => Promise.resolve(),
};
