import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import type { GatewayClient } from '../gateway-client/gateway-client.ts';
import { openGatewayClient } from '../gateway-client/open-gateway-client.ts';
import { FarewellFile, type Farewell } from '../state/farewell.ts';
import { RevokedLists } from '../state/revoked-lists.ts';
import type { LaptopContext } from '../system/laptop-context.ts';

export interface FarewellOutcome {
  readonly customer: string;
  readonly deviceId: string;
  /**
   * Why the slice could not be told and the deregistration stays pending; absent when the slice has confirmed, signed, that
   * the device has ended.
   */
  readonly error?: KiwiError;
}

/** Time limit for one slice, in total. */
const PATIENCE_MS = 20_000;

/**
 * Sends the pending deregistrations and removes those that were confirmed. A slice that cannot be reached is not an
 * exception.
 */
export async function tellFarewells(context: LaptopContext): Promise<FarewellOutcome[]> {
  const file = new FarewellFile(context.platform.stateFolder);
  const outcomes = await Promise.all(
    (await file.load()).map(async (farewell): Promise<FarewellOutcome> => {
      const { customer, deviceId } = farewell;
      const error = await tellFarewell(farewell, context);
      return { customer, deviceId, ...(error === undefined ? {} : { error }) };
    }),
  );
  for (const { deviceId, error } of outcomes) if (error === undefined) await file.forget(deviceId);
  return outcomes;
}

/** @returns why the slice could not be told; undefined when it has confirmed that the device has ended */
export async function tellFarewell(farewell: Farewell, context: LaptopContext): Promise<KiwiError | undefined> {
  const { gatewayUrl, deviceId, leave, intermediate, roots } = farewell;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  let client: GatewayClient | undefined;
  try {
    client = await openGatewayClient(context, gatewayUrl, { keptProxy: farewell.proxy });
    const kept = roots.map((pem) => parseCertificate(pem));
    const revoked = await new RevokedLists(context.platform).load(kept);
    const slice = { intermediate: parseCertificate(intermediate), roots: kept, revoked };
    const { state } = await client.tell({ deviceId, slice }, 'leave', leave, signal);
    return state === 'ended'
      ? undefined
      : new KiwiError('gateway-answer-invalid', { detail: `the device is ${state}` });
  } catch (thrown) {
    return signal.aborted ? new KiwiError('gateway-unreachable', { detail: 'no answer' }) : toKiwiError(thrown);
  } finally {
    await client?.close();
  }
}
