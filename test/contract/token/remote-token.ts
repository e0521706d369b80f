import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { DriverCommand } from './driver.ts';

export interface Said {
  readonly ok: boolean;
  readonly ms: number;
  readonly code?: string;
  readonly detail?: string;
  readonly result?: Record<string, unknown>;
}

/** The token of `driver.ts`, driven from outside. */
export interface RemoteToken {
  do(command: Omit<DriverCommand, 'id'>): Promise<Said>;
  /** Everything it announced (waiting, several, pin, touch, touched) since the last look. */
  events(): string[];
  /** Resolves when it announces `event`. */
  until(event: string): Promise<void>;
  close(): Promise<void>;
}

export async function openRemoteToken(start: (argv: readonly string[]) => ChildProcess): Promise<RemoteToken> {
  const driver = fileURLToPath(new URL('./driver.ts', import.meta.url));
  const child = start([process.execPath, driver]);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const pending = new Map<number, (said: Said) => void>();
  const waiting = new Map<string, () => void>();
  let events: string[] = [];
  let next = 1;
  const until = (event: string): Promise<void> => new Promise((resolve) => waiting.set(event, resolve));
  const ready = until('ready');
  if (child.stdout === null) throw new Error('the driver has no output');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as { id: number } & Said & { event?: string; state?: string };
    if (said.event === undefined) return pending.get(said.id)?.(said);
    if (said.event !== 'ready') events.push(said.state === undefined ? said.event : `${said.event} ${said.state}`);
    waiting.get(said.event)?.();
    waiting.delete(said.event);
  });
  await ready;
  return {
    do: (command) =>
      new Promise((resolve) => {
        const id = next++;
        pending.set(id, resolve);
        child.stdin?.write(`${JSON.stringify({ id, ...command })}\n`);
      }),
    events: () => {
      const taken = events;
      events = [];
      return taken;
    },
    until,
    close: async () => {
      child.stdin?.end();
      await ended;
    },
  };
}
