import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { TunnelKeeper, TunnelKeepers } from '../system/tunnel-app.ts';
import { OFFER_LASTS_MS } from '../tunnel/next-keeper-step.ts';
import { settleTunnel } from './settle-tunnel.ts';
import { whileEnrolled } from './while-enrolled.ts';

/** A person is at it, and sees within this time that what they did was noticed. */
const LOOK_EVERY_MS = 2_000;

/** What was begun is taken back although the person wants it to end. */
const NEVER = new AbortController().signal;

/** What it waits for: the person, who installs the app or approves the profile, or the app, which takes the tunnel over. */
export interface TunnelEvent {
  readonly type: 'tunnel-waits';
  readonly for: 'app' | 'approval' | 'hand-over';
}

export interface TunnelKept {
  readonly record: EnrollmentRecord;
  readonly by: TunnelKeeper;
}

/**
 * Has the tunnel kept by the app, or by our daemon again. For the app it waits for the person, and our daemon keeps the tunnel until then: the
 * app is installed, the profile is offered and approved, and only then the daemon stops. A run that is cancelled takes its offer back; what
 * one that is killed leaves, the next check settles.
 *
 * The tunnel's key is derived from the device key (docs/protocol.md, section 11), which a renewal of the certificate keeps: an approved
 * profile stays good. An enrollment made anew has another one, and begins with our daemon.
 *
 * @throws KiwiError `not-enrolled`, `tunnel-app-unsupported`, `tunnel-app-waiting` after an hour, `not-authorised`, `already-running`,
 * `cancelled`, and those of `settleTunnel`
 */
export async function keepTunnelBy(
  context: LaptopContext,
  keeper: TunnelKeeper,
  report: (event: TunnelEvent) => void,
): Promise<TunnelKept> {
  return keeper === 'daemon' ? keepByDaemon(context) : keepByApp(context, report);
}

function keepByDaemon(context: LaptopContext): Promise<TunnelKept> {
  return whileEnrolled(context, async (record) => {
    await look(context, record);
    // First the profile: two tunnels with one key would take each other's packets.
    await context.platform.tunnelApp.remove(record.slug);
    return { record, by: await settleTunnel(context, record) };
  });
}

async function keepByApp(context: LaptopContext, report: (event: TunnelEvent) => void): Promise<TunnelKept> {
  const { clock, signal } = context;
  const until = clock.monotonic() + OFFER_LASTS_MS;
  let said: TunnelEvent['for'] | undefined;
  let offered = false;
  const say = (what: TunnelEvent['for']): void => {
    if (said !== what) report({ type: 'tunnel-waits', for: what });
    said = what;
  };
  const waitFor = async (what: TunnelEvent['for']): Promise<void> => {
    say(what);
    // Others have their turn meanwhile: this may take the person an hour.
    await clock.sleep(LOOK_EVERY_MS, signal);
  };
  const record = await whileEnrolled(context, (known) => Promise.resolve(known));
  try {
    for (;;) {
      const { app, appThere, offeredAt } = await look(context, record);
      if (app) {
        say('hand-over');
        const kept = await whileEnrolled(context, async (of) => ({ record: of, by: await settleTunnel(context, of) }));
        signal.throwIfAborted();
        return kept;
      }
      if (clock.monotonic() >= until) throw new KiwiError('tunnel-app-waiting', { detail: 'the offer was taken back' });
      // Somebody has taken it back, or has uninstalled meanwhile.
      if (offered && offeredAt === undefined) throw new KiwiError('cancelled', { detail: 'the offer was taken back' });
      if (!appThere) await waitFor('app');
      else {
        if (!offered) await whileEnrolled(context, (of) => offer(context, of));
        offered = true;
        await waitFor('approval');
      }
    }
  } catch (error) {
    await takeBack(context);
    signal.throwIfAborted();
    throw error;
  }
}

/** With the certificate as it is now: the profile says whose it is by it. */
async function offer({ platform, signal }: LaptopContext, { slug, device }: EnrollmentRecord): Promise<void> {
  const stored = await platform.certificates.load(slug);
  if (stored === undefined) throw new KiwiError('enrollment-unhealthy', { detail: 'there is no device certificate' });
  const { certificate, key } = platform.certificates.paths(slug);
  const signer = { certificate, key, intermediate: stored.intermediate };
  await platform.tunnelApp.offer(slug, device?.tunnel?.endpoints ?? [], signer, signal);
}

/**
 * Whoever has cancelled it does not want what they have approved in the same moment either. After a failure the daemon keeps the tunnel still, or
 * the app does already.
 */
async function takeBack(context: LaptopContext): Promise<void> {
  const { platform, signal, log } = context;
  const { aborted: isCancelled } = signal;
  const toItsEnd = { ...context, signal: NEVER };
  await whileEnrolled(toItsEnd, async (record) => {
    const { slug } = record;
    if (!isCancelled && (await platform.tunnelApp.look(slug))?.daemon === 'none') return;
    await platform.tunnelApp.remove(slug);
    await settleTunnel(toItsEnd, record);
  }).catch((error: unknown) => {
    log?.write('warning', 'not-taken-back', { code: toKiwiError(error).code });
  });
}

/** @throws KiwiError `tunnel-app-unsupported` */
async function look({ platform }: LaptopContext, { slug }: EnrollmentRecord): Promise<TunnelKeepers> {
  const keepers = await platform.tunnelApp.look(slug);
  if (keepers === undefined) throw new KiwiError('tunnel-app-unsupported');
  return keepers;
}
