import { toKiwiError } from '../../core/errors.ts';
import type { Device } from '../registry/registry.ts';
import type { SliceContext } from '../slice-context.ts';
import { syncPeer } from './sync-peer.ts';

/**
 * Removes outside the registry what an ended device had: its peer, its certificates. The registry has already ended it,
 * so a failure here does not fail the request: the periodic round retries it until it succeeds.
 */
export async function settleEnded(slice: SliceContext, deviceId: string): Promise<void> {
  try {
    const device = await slice.registry.findDevice(deviceId);
    if (device !== undefined) await removePeer(slice, device);
    await revokeWanted(slice);
  } catch (error) {
    slice.log.warn({ deviceId, code: toKiwiError(error).code }, 'an ended device is not settled yet');
  }
}

/**
 * Removes the peer of an ended device, or restricts it if it is lost. Called again when another process ended the device, or when the endpoint was
 * unavailable.
 * @throws KiwiError `endpoint-unavailable`
 */
export async function removePeer(
  slice: Pick<SliceContext, 'registry' | 'endpoint'>,
  device: Pick<Device, 'id' | 'wireguardPublicKey'>,
): Promise<void> {
  await syncPeer(slice, device.wireguardPublicKey);
  await slice.registry.markDone(device.id, 'peer');
}

/**
 * Has step-ca revoke every certificate that is marked for revocation. If one fails, the others are still tried.
 * @throws KiwiError `ca-unavailable`, the first failure, after all were tried
 */
export async function revokeWanted(slice: Pick<SliceContext, 'registry' | 'ca' | 'clock'>): Promise<number> {
  const wanted = await slice.registry.revocationsWanted(100);
  const failures: unknown[] = [];
  for (const { serial, revokeWhy } of wanted) {
    try {
      await slice.ca.revoke(serial, revokeWhy ?? 'ended');
      await slice.registry.markRevoked(serial, slice.clock.now());
    } catch (error) {
      failures.push(error);
      // step-ca does not answer: do not run into the same time-out a hundred times.
      if (!(await slice.ca.healthy())) break;
    }
  }
  if (failures.length > 0) throw failures[0];
  return wanted.length;
}
