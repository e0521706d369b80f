import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

import type { Laptop } from '../../lab/lab.ts';
import { CLI, PIN } from '../../world/world.ts';

export type Event = Readonly<Record<string, unknown>>;

export interface CliOptions {
  /** Typed into `--pin-fd 0`; null: not yet, see `typePin`. */
  readonly pin?: string | null;
  /** After `enroll --json --pin-fd 0 --wait 10`. */
  readonly args?: readonly string[];
  /** Runs before the command, in a mount namespace of its own: what it mounts goes with the command. */
  readonly mounts?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Comes before the command: a tracer, another user. */
  readonly prefix?: readonly string[];
}

/** `kiwistack-enroll enroll --json` that is going on: its events as they come, and a hand on it. */
export class CliRun {
  readonly events: Event[] = [];
  /** Everything it wrote, on stdout and stderr. */
  output = '';
  /** The exit code; 128 + 9 when it was killed. */
  readonly ended: Promise<number>;
  readonly #child: ChildProcess;
  #code: number | undefined;
  #waiting: (() => void)[] = [];

  constructor(laptop: Laptop, options: CliOptions = {}) {
    const { pin = PIN, args = [], mounts, env, prefix = [] } = options;
    const command = [...prefix, ...CLI, 'enroll', '--json', '--pin-fd', '0', '--wait', '10', ...args];
    const inNamespace = ['/usr/bin/unshare', '-m', '/bin/sh', '-ec', `${mounts ?? ''}\nexec "$@"`, 'with-mounts'];
    const argv = mounts === undefined ? command : [...inNamespace, ...command];
    this.#child = laptop.spawn(argv, { stdio: ['pipe', 'pipe', 'pipe'], ...(env === undefined ? {} : { env }) });
    const { stdin, stdout, stderr } = this.#child;
    if (stdin === null || stdout === null || stderr === null) throw new TypeError('three pipes');
    stdin.on('error', () => undefined);
    if (pin !== null) stdin.end(`${pin}\n`);
    createInterface({ input: stdout }).on('line', (line) => {
      this.output += `${line}\n`;
      if (line.startsWith('{')) this.events.push(JSON.parse(line) as Event);
      this.#wake();
    });
    stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#code = code ?? (signal === 'SIGKILL' ? 137 : 143);
        this.#wake();
        resolve(this.#code);
      });
    });
  }

  /** The last event: the result, once it has ended. */
  get result(): Event {
    return this.events.at(-1) ?? {};
  }

  /** Code of the error that it ended with. */
  get errorCode(): unknown {
    return this.error['code'];
  }

  get error(): Event {
    return (this.result['error'] as Event | undefined) ?? {};
  }

  /** Waits for an event. @throws when the command ends without it */
  async until(wanted: (event: Event) => boolean): Promise<Event> {
    for (;;) {
      const event = this.events.find(wanted);
      if (event !== undefined) return event;
      if (this.#code !== undefined) throw new Error(`ended with ${this.#code} before:\n${this.output}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  untilType(type: string): Promise<Event> {
    return this.until((event) => event['type'] === type);
  }

  untilStep(step: string, type: 'step-started' | 'step-done' = 'step-started'): Promise<Event> {
    return this.until((event) => event['type'] === type && event['step'] === step);
  }

  /** For `pin: null`: the PIN comes now. */
  typePin(pin: string): void {
    this.#child.stdin?.end(`${pin}\n`);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Whoever reads its output ends. */
  stopReading(): void {
    this.#child.stdout?.destroy();
  }

  /** The steps that were undone, in their order. */
  get undone(): string[] {
    return this.events.filter(({ type }) => type === 'step-undone').map(({ step }) => String(step));
  }

  get undoFailures(): Event[] {
    return this.events.filter(({ type }) => type === 'undo-failed');
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Runs it to its end. */
export async function runEnroll(laptop: Laptop, options: CliOptions = {}): Promise<CliRun & { code: number }> {
  const run = new CliRun(laptop, options);
  return Object.assign(run, { code: await run.ended });
}
