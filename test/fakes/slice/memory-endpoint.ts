import { KiwiError } from '../../../src/core/errors.ts';
import type { Endpoint, Peer } from '../../../src/slice/endpoint/endpoint.ts';

/** An endpoint that remembers what it became, and can be down. */
export interface MemoryEndpoint extends Endpoint {
  readonly peers: Map<string, Peer>;
  down: boolean;
}

export function memoryEndpoint(): MemoryEndpoint {
  const peers = new Map<string, Peer>();
  const up = (): void => {
    if (endpoint.down) throw new KiwiError('endpoint-unavailable', { detail: 'memory: down' });
  };
  const endpoint: MemoryEndpoint = {
    peers,
    down: false,
    setPeer: async (peer) => {
      up();
      peers.set(peer.publicKey, peer);
      await Promise.resolve();
    },
    removePeer: async (publicKey) => {
      up();
      peers.delete(publicKey);
      await Promise.resolve();
    },
    reconcile: async (wanted) => {
      up();
      peers.clear();
      for (const peer of wanted) peers.set(peer.publicKey, peer);
      await Promise.resolve();
    },
    healthy: () => Promise.resolve(!endpoint.down),
    stop: () => Promise.resolve(),
  };
  return endpoint;
}
