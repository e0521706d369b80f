import { KiwiError } from '../../core/errors.ts';
import { isHalfRemoved } from '../enrollment/half-removed.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { TunnelKeeper } from '../system/tunnel-app.ts';
import { keeperOf, nextKeeperStep } from '../tunnel/next-keeper-step.ts';

/** Whether the tunnel answers before it changes hands, and how long the app may take for it. */
const ANSWERS_MS = { before: 2_000, byApp: 30_000 };
/** More steps than there are mean that one of them changes nothing. */
const MOST_STEPS = 4;

/**
 * Sees to it that exactly one keeps the tunnel: what a run that was killed, or the person in the system's own settings, has left undone. Repeated,
 * it changes nothing more. Where the system has no such app, it does nothing.
 *
 * @returns who keeps it
 * @throws KiwiError `enrollment-incomplete` when it is half removed; `tunnel-app-silent` when the app did not bring it up, and our daemon keeps it
 * again; `tunnel-app-stays`, `tunnel-tools-failed`
 */
export async function settleTunnel(context: LaptopContext, record: EnrollmentRecord): Promise<TunnelKeeper> {
  const { platform, clock, signal } = context;
  const { slug } = record;
  for (let count = 0; count < MOST_STEPS; count++) {
    const keepers = await platform.tunnelApp.look(slug);
    if (keepers === undefined) return 'daemon';
    // An uninstallation that was interrupted has stopped our daemon: that is no reason to start it.
    if (await isHalfRemoved(platform.stateFolder)) {
      throw new KiwiError('enrollment-incomplete', { detail: 'it is half removed' });
    }
    switch (nextKeeperStep(keepers, clock.now())) {
      case 'hand-over':
        await handOver(context, record);
        break;
      case 'take-back':
        await platform.tunnel.start(slug, signal);
        break;
      case 'withdraw':
        await platform.tunnelApp.withdraw(slug);
        break;
      case 'nothing':
        return keeperOf(keepers);
    }
  }
  throw new KiwiError('tunnel-tools-failed', { detail: 'what keeps the tunnel does not change' });
}

/** A tunnel that worked and does not with the app comes back at once: nobody is cut off for having chosen it. */
async function handOver({ platform, signal }: LaptopContext, { slug, device }: EnrollmentRecord): Promise<void> {
  const { tunnel, tunnelApp } = platform;
  const answers = async (ms: number): Promise<boolean> =>
    device === undefined || (await tunnel.probe(device.probe, ms, signal));
  const worked = await answers(ANSWERS_MS.before);
  await tunnelApp.stopDaemon(slug);
  await tunnelApp.withdraw(slug);
  // Whoever ends this run does not get a tunnel of which nobody knows whether it works.
  if (!worked || (await answers(ANSWERS_MS.byApp).catch(() => false))) return;
  await tunnelApp.remove(slug);
  await tunnel.start(slug);
  throw new KiwiError('tunnel-app-silent');
}
