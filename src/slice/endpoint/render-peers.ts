import type { Peer } from './endpoint.ts';

/** `wg addconf` input: one [Peer] each. Fields come from checked messages (base64 of 32 bytes, IPv4), so nothing can break out of a line. */
export function renderPeers(peers: readonly Peer[]): string {
  return peers
    .map(
      (peer) =>
        `[Peer]\nPublicKey = ${peer.publicKey}\nPresharedKey = ${peer.presharedKey}\nAllowedIPs = ${peer.address}/32\n`,
    )
    .join('\n');
}
