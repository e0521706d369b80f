import type { Peer } from './endpoint.ts';

/**
 * Input for `wg addconf`: one [Peer] section each. The fields come from validated messages (base64 of 32 bytes, IPv4),
 * so none can contain a line break.
 */
export function renderPeers(peers: readonly Peer[]): string {
  return peers
    .map(
      (peer) =>
        `[Peer]\nPublicKey = ${peer.publicKey}\nPresharedKey = ${peer.presharedKey}\nAllowedIPs = ${peer.address}/32\n`,
    )
    .join('\n');
}
