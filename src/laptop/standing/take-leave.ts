import type { Leave } from '../../protocol/device-messages.ts';
import { signDeviceMessage } from '../exchange/sign-device-message.ts';
import type { DeviceIdentity } from '../gateway-client/gateway-client.ts';
import { FarewellFile, type Farewell } from '../state/farewell.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { tellFarewell } from './tell-farewells.ts';

/** An enrollment that is ending. */
export interface EndingEnrollment {
  readonly context: LaptopContext;
  readonly record: EnrollmentRecord;
  /** The identity that signs the message. Rejects when the key or the certificate is gone. */
  device(): Promise<DeviceIdentity>;
}

/**
 * Signs the deregistration of this device, saves it as pending and sends it. It is saved before it is sent, so that a run
 * that is interrupted after the key was removed still has it. The caller removes it with `forgetFarewell` when it was sent
 * and everything else is gone.
 *
 * @returns `kept` when the slice could not be told and the deregistration is pending; `untold` when it could not be signed or
 * saved
 */
export async function takeLeave(run: EndingEnrollment, reason: Leave['reason']): Promise<'told' | 'kept' | 'untold'> {
  const { context, record } = run;
  const file = new FarewellFile(context.platform.stateFolder);
  const waiting = (await file.load().catch(() => [])).find(({ deviceId }) => deviceId === record.device?.deviceId);
  const farewell = waiting ?? (await sign(run, reason).catch(() => undefined));
  // The key or the certificate is gone or damaged.
  if (farewell === undefined) return 'untold';
  // A full or read-only disk must not prevent the deregistration.
  const kept = await file.keep(farewell).then(
    () => true,
    () => false,
  );
  if ((await tellFarewell(farewell, context)) === undefined) return 'told';
  return kept ? 'kept' : 'untold';
}

/** Notes that the slice was told, while something is left that a later run has to remove. */
export async function noteTold({ context, record }: EndingEnrollment): Promise<void> {
  const file = new FarewellFile(context.platform.stateFolder);
  const farewell = (await file.load()).find(({ deviceId }) => deviceId === record.device?.deviceId);
  if (farewell !== undefined) await file.keep({ ...farewell, toldAt: new Date(context.clock.now()).toISOString() });
}

/** Removes the pending deregistration once it was sent and nothing is left that would need it again. */
export async function forgetFarewell({ context, record }: EndingEnrollment): Promise<void> {
  if (record.device !== undefined) await new FarewellFile(context.platform.stateFolder).forget(record.device.deviceId);
}

async function sign(run: EndingEnrollment, reason: Leave['reason']): Promise<Farewell> {
  const { slug, customer, gatewayUrl, proxy } = run.record;
  const device = await run.device();
  const now = run.context.clock.now();
  return {
    slug,
    customer,
    gatewayUrl,
    proxy,
    deviceId: device.deviceId,
    signedAt: new Date(now).toISOString(),
    leave: await signDeviceMessage(device, 'leave', { reason }, now),
    intermediate: device.slice.intermediate.pem,
    roots: device.slice.roots.map(({ pem }) => pem),
  };
}
