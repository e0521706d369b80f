import { KiwiError } from '../../core/errors.ts';
import { forgetFarewell, takeLeave } from '../standing/take-leave.ts';
import type { KnownEnrollment } from './known-enrollment.ts';

/**
 * Sends the stored statement or claim and keeps the grant.
 * @param patienceMs how long the slice may put it off, before that is an error
 */
export async function requestGrant(run: KnownEnrollment, signal: AbortSignal, patienceMs?: number): Promise<void> {
  const { statement: jwe } = run.exchange;
  if (jwe === undefined) throw new TypeError('nothing was signed yet');
  const client = await run.client();
  let grant: string;
  try {
    grant = await client.statement(run.opened().challenge.sessionId, jwe, { ...run.entrance, signal, patienceMs });
  } catch (error) {
    if (error instanceof KiwiError && error.requestId !== undefined && !error.retryable) await run.forgetStatement();
    throw error;
  }
  await run.saveExchange({ grant });
}

/** An operator sees at once that nobody waits any more. Best effort: the session ends by itself after some minutes. */
export async function abandonSession(run: KnownEnrollment): Promise<void> {
  try {
    const client = await run.client();
    await client.abandon(run.opened().challenge.sessionId, { ...run.entrance, signal: AbortSignal.timeout(3000) });
  } catch {
    // What went wrong before matters more.
  }
}

/**
 * Deregisters, so that nothing is left at the slice either. For a confirmed device that cannot reach the slice now, the
 * deregistration stays pending.
 */
export async function giveUpDevice(run: KnownEnrollment): Promise<void> {
  if (run.record.device === undefined) {
    if (run.record.exchange?.statement === undefined) return;
    try {
      // The reply may have been lost: the same bytes get the same grant, which names the device to deregister.
      if (run.record.exchange.grant === undefined) await requestGrant(run, AbortSignal.timeout(5000));
      await run.granted();
    } catch {
      return; // refused, unreachable, or not our grant: there is no device to deregister
    }
  }
  if (run.record.device?.confirmed === true) {
    if ((await takeLeave(run, 'enrollment-failed')) === 'told') await forgetFarewell(run);
    return;
  }
  try {
    const client = await run.client();
    await client.leave(await run.device(), 'enrollment-failed', AbortSignal.timeout(15_000));
  } catch {
    // An unconfirmed device that cannot be deregistered ends automatically when its time to confirm has passed.
  }
}
