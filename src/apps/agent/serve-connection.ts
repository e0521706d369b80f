import { once } from 'node:events';
import { Socket } from 'node:net';

import { AgentService, type ServiceOptions } from '../../laptop/service/agent-service.ts';
import type { Caller } from '../../laptop/system/authority.ts';

/** Where the service that started this process has put the connection: native/windows-helper/host.c. */
const CONNECTION = 3;

/** Serves one connection, which this process was started for, until all that it asked for has ended. */
export async function serveConnection(
  caller: Caller | undefined,
  options: Omit<ServiceOptions, 'onIdle'>,
  signal: AbortSignal,
): Promise<void> {
  const socket = new Socket({ fd: CONNECTION, readable: true, writable: true });
  // What was said has been read, or there is nobody any more.
  const said = Promise.race(['finish', 'close'].map((event) => once(socket, event).catch(() => undefined)));
  await new Promise<void>((onIdle) => {
    const service = new AgentService({ ...options, onIdle });
    signal.addEventListener('abort', () => void service.stop(), { once: true });
    service.accept(socket, caller);
    // It was refused, and nothing is going on.
    if (service.isIdle) onIdle();
  });
  await said;
}
