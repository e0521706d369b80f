import { connect } from 'node:net';
import { resolve as absolutePath } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlCommand } from './reader/control-server.ts';
import type { Fault } from './reader/faults.ts';
import type { ReaderStatus } from './reader/reader.ts';
import type { TouchMode } from './reader/touch-sensor.ts';

export type { Fault, ReaderStatus, TouchMode };

/** The hand that holds the keys: insert, pull, touch, look, and make things go wrong. */
export class VirtualYubiKeyControl {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Plugs the key of a state file in; resolves with its serial when pcscd sees it (up to 0.4 s). */
  async insert(stateFile: string): Promise<number> {
    const { serial } = await this.#ask<{ serial: number }>({ command: 'insert', stateFile: absolutePath(stateFile) });
    return serial;
  }

  /** Pulls the key with this serial, or every key. A running command fails at once; resolves when pcscd sees it (0.4 s). */
  async pull(serial?: number): Promise<number[]> {
    const { pulled } = await this.#ask<{ pulled: number[] }>({
      command: 'pull',
      ...(serial === undefined ? {} : { serial }),
    });
    return pulled;
  }

  /** Touches; resolves with the serials that were blinking. With none, the touch counts for one that blinks within a second. */
  async touch(): Promise<number[]> {
    const { touched } = await this.#ask<{ touched: number[] }>({ command: 'touch' });
    return touched;
  }

  /** auto: a touch comes `delayMs` after the key begins to blink; manual: only `touch()`; never: none comes. */
  async touchMode(mode: TouchMode, delayMs?: number, timeoutMs?: number): Promise<void> {
    await this.#ask({
      command: 'touch-mode',
      mode,
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  /** What is plugged in, what blinks, what will go wrong. */
  async show(): Promise<ReaderStatus> {
    return this.#ask<ReaderStatus>({ command: 'show' });
  }

  /** Resolves with the serials when a key blinks for a touch. */
  async untilBlinking(timeoutMs = 60_000): Promise<number[]> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const { blinking } = await this.show();
      if (blinking.length > 0) return blinking;
      if (Date.now() > deadline) throw new Error(`no key blinked within ${timeoutMs} ms`);
      await sleep(10);
    }
  }

  async fault(fault: Fault): Promise<void> {
    await this.#ask({ command: 'fault', fault });
  }

  async clearFaults(): Promise<void> {
    await this.#ask({ command: 'clear-faults' });
  }

  // A connection a command: a test that is killed leaves nothing half said.
  async #ask<Answer extends object>(command: ControlCommand): Promise<Answer> {
    const text = await exchange(this.#socketPath, `${JSON.stringify(command)}\n`);
    const { ok, ...answer } = JSON.parse(text) as { ok: boolean; error?: string };
    if (!ok) throw new Error(`virtual YubiKey: ${answer.error ?? 'refused'}`);
    return answer as Answer;
  }
}

function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let received = '';
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(line));
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (!received.includes('\n')) return;
      socket.destroy();
      resolve(received);
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the reader closed the connection without an answer')));
  });
}
