import { KiwiError } from '../../../core/errors.ts';
import { refuseOverlap } from '../refuse-overlap.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/** Changes nothing, so a crash leaves nothing and there is nothing to undo. */
export const preflight: EnrollmentStep = {
  name: 'preflight',
  title: 'Check this laptop',
  inspect: () => Promise.resolve('absent'),
  async apply(run) {
    const { platform } = run;
    // These take a moment and are needed later; failures surface where they are used. A signed statement needs no key.
    if (run.bootstrap === undefined && run.recordIfAny?.exchange?.statement === undefined) run.warmUpToken();
    await platform.preflight.check();
    // Of a laptop that claims itself nothing is refused for it: doctor says what is missing.
    if ('signIn' in run.options && run.options.signIn) await platform.signIn.check();
    await refuseOverlap(run);
    void Promise.allSettled([platform.hardware.readHardware(), platform.hardware.readSystem()]);
    // Replacing somebody else's agent would take the laptop away from its present management, and an undo of ours must not
    // take what it left. A resumed run finds its own.
    const inTheWay = (await platform.agent.found()).filter(({ ours }) => !ours).map(({ what }) => what);
    if (inTheWay.length === 0) return;
    const { version } = await platform.agent.status();
    const leftOver =
      'No Fleet agent is installed, but this was left by one. Move it to another place and run the command again.';
    throw new KiwiError('agent-present', {
      detail: inTheWay.join(', '),
      ...(version === undefined ? { hint: leftOver } : {}),
    });
  },
  verify: () => Promise.resolve(),
};
