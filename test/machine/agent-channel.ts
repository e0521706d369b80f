import { EventEmitter } from 'node:events';
import { Duplex, PassThrough } from 'node:stream';

/** A program that runs in the machine. */
export interface GuestProcess {
  readonly stdin: Duplex;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  /** Resolves with the exit code (128 + the signal's number) when it has ended; rejects when the machine has. */
  readonly ended: Promise<number>;
  /** Sends a signal to the program and to everything it started that stayed in its session. */
  kill(signal: number): void;
}

/** How a program in the machine is started. */
export interface GuestStart {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Largest payload of a frame to the agent. */
const CHUNK = 32_768;
const HEAD = 9;

/**
 * The host's end of the virtio port, which carries many programs and connections at a time; see image/files/agent.c for
 * the frames.
 */
export class AgentChannel {
  readonly #port: Duplex;
  readonly #tasks = new Map<number, EventEmitter<{ frame: [kind: string, payload: Buffer]; lost: [] }>>();
  #next = 1;
  #lost = false;
  #alive: (() => void)[] = [];

  constructor(port: Duplex) {
    this.#port = port;
    let buffered: Buffer = Buffer.alloc(0);
    port.on('data', (chunk: Buffer) => {
      buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
      while (buffered.length >= HEAD && buffered.length >= HEAD + buffered.readUInt32LE(5)) {
        const end = HEAD + buffered.readUInt32LE(5);
        this.#take(buffered.readUInt32LE(0), buffered.toString('latin1', 4, 5), buffered.subarray(HEAD, end));
        buffered = buffered.subarray(end);
      }
    });
    const lose = (): void => {
      this.#lost = true;
      for (const task of this.#tasks.values()) task.emit('lost');
      this.#tasks.clear();
    };
    port.on('error', lose).on('close', lose);
  }

  /** Resolves when the agent answers. */
  async hello(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#alive.push(resolve);
      this.#send(0, 'P');
    });
  }

  start({ argv, env, cwd }: GuestStart): GuestProcess {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const words = [cwd, String(variables.length), ...variables, ...argv];
    if (words.some((word) => word.includes('\0'))) throw new TypeError('a zero in an argument');
    return this.#open('S', words.map((word) => `${word}\0`).join(''));
  }

  /** Opens a connection in the machine, to a port of 127.0.0.1 or the path of a socket. */
  async connect(where: number | string): Promise<Duplex> {
    const opened = Promise.withResolvers<undefined>();
    const task = this.#open('C', String(where), () => opened.resolve(undefined));
    task.ended.then(
      () => opened.reject(new Error(`nothing listens at ${where} in the machine`)),
      (error: unknown) => opened.reject(error as Error),
    );
    await opened.promise;
    const duplex = Duplex.from({ writable: task.stdin, readable: task.stdout });
    duplex.on('close', () => task.kill(15));
    return duplex;
  }

  #open(kind: string, payload: string, onHello?: () => void): GuestProcess {
    if (this.#lost) throw new Error('the machine is off');
    const id = this.#next++;
    const task = new EventEmitter<{ frame: [kind: string, payload: Buffer]; lost: [] }>();
    this.#tasks.set(id, task);
    const stdout = new PassThrough({ highWaterMark: 1 << 20 });
    const stderr = new PassThrough({ highWaterMark: 1 << 20 });
    const end = Promise.withResolvers<number>();
    // A caller that does not wait for the end must not crash because of it.
    end.promise.catch(() => undefined);
    const stdin = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        for (let at = 0; at < chunk.length; at += CHUNK) this.#send(id, 'I', chunk.subarray(at, at + CHUNK));
        if (this.#lost || this.#port.writableLength < 1 << 20) done();
        else this.#port.once('drain', () => done());
      },
      final: (done) => {
        this.#send(id, 'E');
        done();
      },
    });
    const close = (): void => {
      this.#tasks.delete(id);
      stdout.end();
      stderr.end();
    };
    task.on('frame', (what, data) => {
      if (what === 'O') stdout.write(data);
      else if (what === 'R') stderr.write(data);
      else if (what === 'H') onHello?.();
      else if (what === 'X') {
        close();
        end.resolve(data.readUInt32LE(0));
      }
    });
    task.on('lost', () => {
      close();
      end.reject(new Error('the machine went off'));
    });
    this.#send(id, kind, Buffer.from(payload));
    return { stdin, stdout, stderr, ended: end.promise, kill: (signal) => this.#send(id, 'K', Buffer.from([signal])) };
  }

  #take(id: number, kind: string, payload: Buffer): void {
    if (id !== 0) this.#tasks.get(id)?.emit('frame', kind, payload);
    else for (const resolve of this.#alive.splice(0)) resolve();
  }

  #send(id: number, kind: string, payload: Buffer = Buffer.alloc(0)): void {
    if (this.#lost) return;
    const head = Buffer.alloc(HEAD);
    head.writeUInt32LE(id, 0);
    head.write(kind, 4, 'latin1');
    head.writeUInt32LE(payload.length, 5);
    this.#port.write(Buffer.concat([head, payload]));
  }
}
