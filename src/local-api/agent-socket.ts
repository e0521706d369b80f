import { lstatSync, type Stats } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import path from 'node:path';

import { KiwiError } from '../core/errors.ts';

/** Where systemd listens for the agent (installers/linux/systemd/kiwistack-agent.socket). */
export const AGENT_SOCKET = '/run/kiwistack-agent/socket';

/**
 * True when there is an agent to ask: a socket of root's, in a folder that nobody else can write to. Another program that listens
 * there is not asked, because the caller prints what it says and signs what it gives.
 */
export function agentListens(file: string = AGENT_SOCKET): boolean {
  const socket = look(file);
  const folder = look(path.dirname(file));
  return (
    socket?.isSocket() === true &&
    folder?.isDirectory() === true &&
    [socket, folder].every(({ uid }) => uid === 0) &&
    (folder.mode & 0o022) === 0
  );
}

function look(file: string): Stats | undefined {
  try {
    return lstatSync(file);
  } catch {
    return undefined;
  }
}

/** @throws KiwiError `agent-gone` */
export function connectToAgent(file: string = AGENT_SOCKET): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(file);
    socket.once('error', (cause) => reject(new KiwiError('agent-gone', { cause })));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
