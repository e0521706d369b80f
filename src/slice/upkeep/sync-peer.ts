import type { SliceContext } from '../slice-context.ts';

/**
 * Makes the endpoint match the registry for one tunnel key: the peer of the newest device that has it, or none.
 * Safe to repeat, so every path that changes a device ends here instead of working out what to add or remove.
 */
export async function syncPeer(
  slice: Pick<SliceContext, 'registry' | 'endpoint'>,
  wireguardPublicKey: string,
): Promise<void> {
  const live = await slice.registry.findLivePeer(wireguardPublicKey);
  if (live === undefined) await slice.endpoint.removePeer(wireguardPublicKey);
  else {
    await slice.endpoint.setPeer({
      publicKey: wireguardPublicKey,
      presharedKey: live.presharedKey,
      address: live.address,
      restricted: live.restricted,
    });
  }
}
