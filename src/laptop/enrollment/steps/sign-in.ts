import { KiwiError, toKiwiError } from '../../../core/errors.ts';
import { askForSignIn, followSignIn } from '../../sign-in/follow-sign-in.ts';
import type { EnrollmentRun, EnrollmentStep } from '../enrollment-run.ts';

/**
 * Lets people sign in with the account of their organisation, where it wants that and so does whoever enrolls. A directory that is away stops no
 * enrollment: the hourly check asks again. A claim, whose token is used up by then, is stopped by nothing of it; the check tries again, and doctor says
 * why it fails. A crash leaves settings, which the next run replaces.
 */
export const signIn: EnrollmentStep = {
  name: 'sign-in',
  title: 'Set up sign-in',
  applies: ({ record }) => record.signIn === true,
  inspect: () => Promise.resolve('absent'),
  async apply(run) {
    await setUp(run).catch((error: unknown) => {
      if (run.record.claim === undefined || run.signal.aborted) throw error;
      run.context.log?.write('warning', 'sign-in', { code: toKiwiError(error).code });
    });
  },
  verify: () => Promise.resolve(),
  undo: ({ platform }) => platform.signIn.remove(),
};

async function setUp(run: EnrollmentRun): Promise<void> {
  const { platform, signal } = run;
  const [client, device] = [await run.client(), await run.device()];
  const answer = await client.status(device, { extensions: await askForSignIn(platform) }, signal);
  if (answer.state === 'ended') throw new KiwiError('device-ended');
  const { slug } = run.record;
  const outcome = await followSignIn(platform, answer, { slug, deviceKey: device.key }, signal);
  if (outcome === 'unavailable')
    run.options.waiting?.('the directory of your organisation: it is asked again every hour');
}
