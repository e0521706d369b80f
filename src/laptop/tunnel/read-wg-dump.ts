import type { PeerFacts } from '../system/inspector.ts';

export interface WgDump {
  readonly publicKey: string;
  readonly peers: readonly WgPeer[];
}

export interface WgPeer {
  readonly publicKey: string;
  readonly endpoint: string | undefined;
  /** Milliseconds since 1970; undefined when there was no handshake yet. */
  readonly lastHandshake: number | undefined;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/**
 * What `wg show NAME dump` prints: tab-separated, the interface first, then one line per peer. It also contains private and
 * pre-shared keys, which are dropped here.
 */
export function readWgDump(text: string): WgDump | undefined {
  const [first, ...rest] = text.split('\n').filter((line) => line !== '');
  const publicKey = first?.split('\t')[1];
  if (publicKey === undefined) return undefined;
  const peers = rest.map((line) => {
    const [key = '', , endpoint, , handshake, rx, tx] = line.split('\t');
    const seconds = Number(handshake);
    return {
      publicKey: key,
      endpoint: endpoint === '(none)' ? undefined : endpoint,
      lastHandshake: seconds > 0 ? seconds * 1000 : undefined,
      rxBytes: Number(rx) || 0,
      txBytes: Number(tx) || 0,
    };
  });
  return { publicKey, peers };
}

/**
 * The peer that a profile of ours names. Somebody may have added others, which WireGuard shows in no order.
 * @param profile without one, whichever is shown first
 * @param peerIn reads the peer's public key in a profile of that form
 */
export function peerOfProfile(
  dump: WgDump | undefined,
  profile: string | undefined,
  peerIn: (profile: string) => string | undefined,
): WgPeer | undefined {
  if (profile === undefined) return dump?.peers[0];
  const named = peerIn(profile);
  return dump?.peers.find(({ publicKey }) => publicKey === named);
}

/** Arguments of `wg`, for each peer of an interface: they set the endpoint that is in use. */
export function nudges(name: string, dump: WgDump | undefined): string[][] {
  return (dump?.peers ?? []).flatMap(({ publicKey, endpoint }) =>
    endpoint === undefined ? [] : [['set', name, 'peer', publicKey, 'endpoint', endpoint]],
  );
}

/** The same text, as the checks want it: what the peer is configured to be. */
export function readPeerFacts(text: string): PeerFacts | undefined {
  const [own, ...peers] = text.split('\n').filter((line) => line !== '');
  const publicKey = own?.split('\t')[1];
  if (publicKey === undefined) return undefined;
  const [, , , networks = '', , , , keepalive = ''] = peers[0]?.split('\t') ?? [];
  const seconds = Number(keepalive);
  return {
    publicKey,
    peers: peers.length,
    allowedNetworks: networks === '(none)' || networks === '' ? [] : networks.split(','),
    keepaliveSeconds: seconds > 0 ? seconds : undefined,
  };
}
