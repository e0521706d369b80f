import { createRequire } from 'node:module';

/** The process that made a connection, as the kernel noted it then. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who is at the other end of a connected Unix socket.
 * @throws Error when there is nobody, the descriptor is something else, or the addon was not built
 */
export function peerCredentials(fd: number): PeerCredentials {
  const addon = createRequire(import.meta.url)('./build/Release/peer_credentials.node') as {
    peerCredentials(fd: number): PeerCredentials;
  };
  return addon.peerCredentials(fd);
}
