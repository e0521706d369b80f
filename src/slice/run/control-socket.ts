import { chmod } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';

import { z } from 'zod';

/** The state of each part of a running slice; each part is asked when the status is requested. */
export const partsStatus = z.strictObject({
  gateway: z.boolean(),
  stepCa: z.boolean(),
  endpoint: z.boolean(),
  /** False when records of the audit are not as they were. */
  auditWhole: z.boolean(),
  fleet: z.enum(['reachable', 'unreachable', 'not-configured']),
  devices: z.strictObject({ pending: z.int(), active: z.int() }),
});
export type PartsStatus = z.infer<typeof partsStatus>;

/** A socket (0600, in a folder with 0700) that answers every connection with the status. It accepts no commands. */
export async function serveStatus(file: string, status: () => Promise<PartsStatus>): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    status().then(
      (parts) => socket.end(JSON.stringify(parts)),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(file, resolve);
  });
  await chmod(file, 0o600);
  return server;
}

/** @returns undefined when nobody answers in time */
export async function askStatus(file: string, timeoutMs = 8000): Promise<PartsStatus | undefined> {
  const text = await new Promise<string | undefined>((resolve) => {
    const socket = connect(file);
    let received = '';
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('utf8')));
    socket.on('error', () => resolve(undefined));
    socket.on('close', () => resolve(received));
  });
  if (text === undefined || text === '') return undefined;
  const parsed = partsStatus.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}
