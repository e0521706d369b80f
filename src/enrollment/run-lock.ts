import { mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';

import { KiwiError } from '../core/errors.ts';

export interface RunLock {
  release(): Promise<void>;
}

/**
 * One run at a time on a laptop. A listening socket is the lock: the system ends it with the process, so that a run that
 * was killed leaves a file, but no lock.
 *
 * @throws KiwiError `already-running`, `not-root`
 */
export async function takeRunLock(stateFolder: string): Promise<RunLock> {
  await mkdir(stateFolder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    const denied = error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
    throw denied ? new KiwiError('not-root', { cause: error }) : error;
  });
  const file = path.join(stateFolder, 'lock');
  const server =
    (await listen(file)) ??
    (await isHeld(file).then(async (held) => {
      if (held) throw new KiwiError('already-running');
      await unlink(file);
      return listen(file);
    }));
  if (server === undefined) throw new KiwiError('already-running');
  server.unref();
  return {
    release: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  };
}

/** @returns undefined when the file is there already */
function listen(file: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error.code === 'EACCES' ? new KiwiError('not-root', { cause: error }) : error);
    });
    server.listen(file, () => {
      resolve(server);
    });
  });
}

function isHeld(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(file);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
