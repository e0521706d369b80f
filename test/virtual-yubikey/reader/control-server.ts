import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { faultSchema } from './faults.ts';
import type { Reader } from './reader.ts';

const command = z.discriminatedUnion('command', [
  z.strictObject({ command: z.literal('insert'), stateFile: z.string() }),
  z.strictObject({ command: z.literal('pull'), serial: z.int().optional() }),
  z.strictObject({ command: z.literal('touch') }),
  z.strictObject({
    command: z.literal('touch-mode'),
    mode: z.enum(['auto', 'manual', 'never']),
    delayMs: z.int().min(0).max(600_000).optional(),
    timeoutMs: z.int().min(1).max(600_000).optional(),
  }),
  z.strictObject({ command: z.literal('show') }),
  z.strictObject({ command: z.literal('fault'), fault: faultSchema }),
  z.strictObject({ command: z.literal('clear-faults') }),
]);

/** One line of the control socket. */
export type ControlCommand = z.infer<typeof command>;

/** Listens on a Unix socket (mode 0600) for one JSON command a line, and answers one line each. */
export async function startControlServer(path: string, reader: Reader): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket) => serve(socket, reader));
  // The mask, not only chmod: between bind and chmod anybody could connect.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o600);
  return server;
}

function serve(socket: Socket, reader: Reader): void {
  socket.on('error', () => socket.destroy());
  createInterface({ input: socket }).on('line', (line) => {
    void answer(line, reader).then((reply) => {
      if (!socket.destroyed) socket.write(`${JSON.stringify(reply)}\n`);
    });
  });
}

async function answer(line: string, reader: Reader): Promise<object> {
  try {
    return { ok: true, ...(await carryOut(command.parse(JSON.parse(line)), reader)) };
  } catch (error) {
    return { ok: false, error: error instanceof z.ZodError ? z.prettifyError(error) : String(error) };
  }
}

async function carryOut(request: ControlCommand, reader: Reader): Promise<object> {
  switch (request.command) {
    case 'insert':
      return { serial: await reader.insert(request.stateFile) };
    case 'pull':
      return { pulled: await reader.pull(request.serial) };
    case 'touch':
      return { touched: reader.touch.touch() };
    case 'touch-mode': {
      const { mode, delayMs = 0, timeoutMs } = request;
      reader.touch.configure({ mode, delayMs, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
      return {};
    }
    case 'show':
      return reader.status();
    case 'fault':
      reader.faults.add(request.fault);
      return {};
    case 'clear-faults':
      reader.faults.clear();
      return {};
  }
}
