import path from 'node:path';
import { createInterface } from 'node:readline';

import type { Laptop } from '../lab/lab.ts';
import { startInRoom } from './long-running.ts';
import type { World } from './world.ts';

/** What begins on the line: a TCP connection, or a handshake of WireGuard. */
export interface LineEvent {
  readonly type: 'connection' | 'handshake';
  /** Where it goes to. */
  readonly port: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface SlowLine {
  readonly events: readonly LineEvent[];
  stop(): Promise<void>;
}

/** From now on every packet between a laptop and the slice takes half a round trip of this length. */
export async function slowLine(world: World, laptop: Laptop, roundTripMs: number): Promise<SlowLine> {
  const program = path.join(import.meta.dirname, 'slow-line.py');
  const argv = ['/usr/bin/python3', program, laptop.address, String(roundTripMs / 2)];
  const line = await startInRoom(world.lab.internet, argv, {
    what: 'the slow line',
    logFile: path.join(world.logDir, 'slow-line.log'),
  });
  const events: LineEvent[] = [];
  const { stdout } = line.process;
  if (stdout === null) throw new TypeError('stdout is a pipe');
  createInterface({ input: stdout }).on('line', (text) => events.push(JSON.parse(text) as LineEvent));
  return { events, stop: () => line.stop() };
}
