import type { Peer } from './endpoint.ts';
import type { PeerChange } from './peer-changes.ts';

/**
 * What has to change so that an interface has exactly these peers, with these pre-shared keys and addresses.
 *
 * @param there what `wg show INTERFACE preshared-keys` and `wg show INTERFACE allowed-ips` print: one peer a line, its
 *   key, a tab, and the value
 */
export function comparePeers(
  wanted: readonly Peer[],
  there: { readonly presharedKeys: string; readonly allowedIps: string },
): PeerChange[] {
  const presharedKeys = byKey(there.presharedKeys);
  const allowedIps = byKey(there.allowedIps);
  // The last one wins where two have the same key.
  const peers = new Map(wanted.map((peer) => [peer.publicKey, peer]));
  const differs = (peer: Peer): boolean =>
    presharedKeys.get(peer.publicKey) !== peer.presharedKey || allowedIps.get(peer.publicKey) !== `${peer.address}/32`;
  return [
    ...[...peers.values()].filter(differs).map((peer) => ({ publicKey: peer.publicKey, peer })),
    ...[...presharedKeys.keys()].filter((key) => !peers.has(key)).map((publicKey) => ({ publicKey })),
  ];
}

function byKey(text: string): Map<string, string> {
  const lines = text.split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [key = '', value = ''] = line.split('\t');
      return [key, value];
    }),
  );
}
