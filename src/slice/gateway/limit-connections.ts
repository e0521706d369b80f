import type { Server } from 'node:net';

import { clientNetwork } from '../decisions/client-network.ts';
import { crowded, type CrowdLimits } from '../decisions/crowd-limits.ts';
import { clientAddress } from './client-address.ts';

/**
 * Closes the connections of a client that has too many, before the TLS handshake: a connection costs the client
 * nothing, and us a descriptor and memory.
 *
 * @param refused is called for each
 */
export function limitConnections(server: Server, limits: CrowdLimits, refused: (remote: string) => void): void {
  const open = new Map<string, number>();
  const count = (key: string): number => open.get(key) ?? 0;
  const change = (key: string, by: 1 | -1): void => {
    const now = count(key) + by;
    if (now === 0) open.delete(key);
    else open.set(key, now);
  };
  server.on('connection', (socket) => {
    const remote = clientAddress(socket.remoteAddress);
    const keys = ['all', `network ${clientNetwork(remote)}`, `remote ${remote}`] as const;
    const [inAll, ofNetwork, ofRemote] = [count(keys[0]), count(keys[1]), count(keys[2])];
    if (crowded({ inAll, ofNetwork, ofRemote }, limits) !== undefined) {
      socket.resetAndDestroy();
      refused(remote);
      return;
    }
    for (const key of keys) change(key, 1);
    socket.once('close', () => {
      for (const key of keys) change(key, -1);
    });
  });
}
