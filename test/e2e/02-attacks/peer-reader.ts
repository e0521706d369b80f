import type { ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

import type { Room } from '../../lab/lab.ts';

/** Asks `wg` in the slice's room again and again, without entering the room each time. */
export class PeerReader {
  readonly #shell: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: ((peers: string[]) => void)[] = [];

  constructor(room: Room) {
    const script = 'while read -r _; do wg show kiwi-slice allowed-ips; echo .; done';
    this.#shell = room.spawn(['/bin/sh', '-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    const { stdout } = this.#shell;
    if (stdout === null) throw new TypeError('stdout is a pipe');
    this.#lines = createInterface({ input: stdout });
    let peers: string[] = [];
    this.#lines.on('line', (line) => {
      if (line !== '.') {
        peers.push(line);
        return;
      }
      this.#waiting.shift()?.(peers);
      peers = [];
    });
  }

  /** One line a peer: its key and its addresses. */
  ask(): Promise<string[]> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#shell.stdin?.write('?\n');
    });
  }

  stop(): void {
    this.#lines.close();
    this.#shell.stdin?.end();
  }
}
