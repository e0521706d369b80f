import { createServer, type Socket } from 'node:net';

import { readPeer } from '../../../native/peer-credentials/index.ts';
import { toKiwiError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Caller } from '../../laptop/system/authority.ts';
import { AgentService, type ServiceOptions } from '../../laptop/service/agent-service.ts';

/** How long nobody has to need it before it ends: a window that is open asks more often. */
const IDLE_MS = 5_000;

/**
 * Serves the socket until it has been idle for a while, or the signal fires. Who connects in the moment of its end is not lost: the
 * connection waits in the socket, which is systemd's, and starts the agent again.
 */
export async function serveSocket(
  fd: number,
  options: Omit<ServiceOptions, 'onIdle'>,
  signal: AbortSignal,
): Promise<void> {
  const server = createServer();
  const closed = new Promise<void>((resolve, reject) => {
    server.once('close', resolve).once('error', reject);
  });
  let idle: NodeJS.Timeout | undefined;
  const waitForMore = (): void => {
    clearTimeout(idle);
    idle = setTimeout(() => {
      if (service.isIdle) server.close();
    }, IDLE_MS);
  };
  const service = new AgentService({ ...options, onIdle: waitForMore });
  server.on('connection', (socket) => {
    clearTimeout(idle);
    service.accept(socket, callerAt(socket, options.log));
    if (service.isIdle) waitForMore();
  });
  const stop = (): void => {
    clearTimeout(idle);
    server.close();
  };
  signal.addEventListener('abort', stop, { once: true });
  server.listen({ fd });
  waitForMore();
  // Closed when the last connection is.
  if (signal.aborted) stop();
  signal.addEventListener('abort', () => void service.stop(), { once: true });
  await closed;
  await service.stop();
}

/** A caller that cannot be told is refused, and the others are served. */
function callerAt(socket: Socket, log: Log): Caller | undefined {
  try {
    return readPeer(descriptorOf(socket));
  } catch (error) {
    log.write('error', 'callers cannot be told', { why: toKiwiError(error).detail });
    return undefined;
  }
}

/** Node does not name it; libuv's handle does, on every system that has descriptors. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: unknown } };
  return typeof handle?.fd === 'number' ? handle.fd : -1;
}
