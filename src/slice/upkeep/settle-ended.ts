import { toKiwiError } from '../../core/errors.ts';
import type { Device } from '../registry/registry.ts';
import type { SliceContext } from '../slice-context.ts';
import { syncPeer } from './sync-peer.ts';

/**
 * Takes away outside the registry what an ended device had: its peer, its certificates. The registry has said so already, so a failure here is no
 * failure of the request: the periodic round does it again until it is done.
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

/** Once more what another process has ended, or an endpoint that was away. @throws KiwiError `endpoint-unavailable` */
export async function removePeer(
  slice: Pick<SliceContext, 'registry' | 'endpoint'>,
  device: Pick<Device, 'id' | 'wireguardPublicKey'>,
): Promise<void> {
  await syncPeer(slice, device.wireguardPublicKey);
  await slice.registry.markDone(device.id, 'peer');
}

/**
 * Has step-ca revoke every certificate of ours that is to be revoked. One that is refused does not keep the others from it.
 * @throws KiwiError `ca-unavailable`, the first, when all were tried
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
      // Nobody answers: there is no use in waiting for that a hundred times.
      if (!(await slice.ca.healthy())) break;
    }
  }
  if (failures.length > 0) throw failures[0];
  return wanted.length;
}
