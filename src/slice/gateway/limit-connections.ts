import type { Server, Socket } from 'node:net';

import { clientNetwork } from '../decisions/client-network.ts';
import { crowded, type CrowdLimits } from '../decisions/crowd-limits.ts';
import { clientAddress } from './client-address.ts';

/**
 * Closes the connections of a client that has too many, before the TLS handshake: a connection costs the client
 * nothing, and us a descriptor and memory. Handshakes in progress are limited as well, because they cost most: with thousands at once
 * every one would take longer than its client waits, and none would succeed.
 *
 * @param refused is called for each
 */
export function limitConnections(
  server: Server,
  limits: { readonly connections: CrowdLimits; readonly handshakes: CrowdLimits },
  refused: (remote: string) => void,
): void {
  const connections = new Counts();
  const handshakes = new Counts();
  /** Connections whose handshake is not over, by the client's address and port. */
  const waiting = new Map<string, () => void>();
  const nameOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string => `${remoteAddress} ${remotePort}`;
  server.on('connection', (socket) => {
    const remote = clientAddress(socket.remoteAddress);
    if (connections.crowded(remote, limits.connections) || handshakes.crowded(remote, limits.handshakes)) {
      socket.resetAndDestroy();
      refused(remote);
      return;
    }
    const name = nameOf(socket);
    socket.once('close', connections.count(remote));
    waiting.set(name, handshakes.count(remote));
    socket.once('close', () => over(name));
  });
  const over = (name: string): void => {
    waiting.get(name)?.();
    waiting.delete(name);
  };
  server.on('secureConnection', (socket: Socket) => over(nameOf(socket)));
}

/** How many there are of an address, of a network and in all. */
class Counts {
  readonly #open = new Map<string, number>();

  crowded(remote: string, limits: CrowdLimits): boolean {
    const [inAll, ofNetwork, ofRemote] = keysOf(remote).map((key) => this.#open.get(key) ?? 0) as [
      number,
      number,
      number,
    ];
    return crowded({ inAll, ofNetwork, ofRemote }, limits) !== undefined;
  }

  /** @returns undoes it, once */
  count(remote: string): () => void {
    const keys = keysOf(remote);
    for (const key of keys) this.#change(key, 1);
    return () => {
      for (const key of keys.splice(0)) this.#change(key, -1);
    };
  }

  #change(key: string, by: 1 | -1): void {
    const now = (this.#open.get(key) ?? 0) + by;
    if (now === 0) this.#open.delete(key);
    else this.#open.set(key, now);
  }
}

const keysOf = (remote: string): string[] => ['all', `network ${clientNetwork(remote)}`, `remote ${remote}`];
