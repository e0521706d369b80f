import type { Socket } from 'node:net';

import type { z } from 'zod';

import { KiwiError } from '../core/errors.ts';
import { parseStrictJson } from '../core/strict-json.ts';
import { MAX_MESSAGE } from './messages.ts';

/** Messages that wait to be read: whoever sends more without waiting for an answer is cut off. */
const MAX_WAITING = 64;
const LINE_FEED = 0x0a;

interface Reader<Incoming> {
  resolve(message: Incoming): void;
  reject(error: unknown): void;
}

/**
 * One end of a connection: messages as lines of JSON, each read with a schema. What is not one, too long, or too much at once ends
 * the connection.
 */
export class LineChannel<Incoming> {
  readonly #socket: Socket;
  readonly #schema: z.ZodType<Incoming>;
  #rest: Buffer = Buffer.alloc(0);
  readonly #waiting: Incoming[] = [];
  #reader: Reader<Incoming> | undefined;
  #ended: KiwiError | undefined;
  /** Aborted when the other end has gone away, or was cut off. */
  readonly closed: AbortSignal;
  readonly #close = new AbortController();

  constructor(socket: Socket, schema: z.ZodType<Incoming>) {
    this.#socket = socket;
    this.#schema = schema;
    this.closed = this.#close.signal;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#end(new KiwiError('agent-gone')));
    socket.on('close', () => this.#end(new KiwiError('agent-gone')));
    socket.on('error', (cause) => this.#end(new KiwiError('agent-gone', { cause })));
  }

  /** @throws KiwiError `agent-gone`, `agent-message-invalid` */
  next(signal?: AbortSignal): Promise<Incoming> {
    const first = this.#waiting.shift();
    if (first !== undefined) return Promise.resolve(first);
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const abort = (): void => this.#settle()?.reject(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      const done = (): void => signal?.removeEventListener('abort', abort);
      this.#reader = {
        resolve: (message) => {
          done();
          resolve(message);
        },
        reject: (error) => {
          done();
          reject(error instanceof Error ? error : new KiwiError('cancelled'));
        },
      };
      if (signal?.aborted === true) abort();
    });
  }

  /** What is sent after the other end has gone away is lost: `closed` tells. */
  send(message: object): void {
    if (this.#ended === undefined && this.#socket.writable) this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends what is left and closes. */
  finish(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.end(() => resolve());
      this.#socket.once('close', () => resolve());
    });
  }

  #take(chunk: Buffer): void {
    if (this.#ended !== undefined) return;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let end = this.#rest.indexOf(LINE_FEED); end >= 0; end = this.#rest.indexOf(LINE_FEED)) {
      const line = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end + 1);
      if (!this.#read(line)) return;
    }
    if (this.#rest.length > MAX_MESSAGE) this.#cutOff('a message is too long');
  }

  #read(line: Buffer): boolean {
    let value: unknown;
    try {
      value = parseStrictJson(line, MAX_MESSAGE);
    } catch (error) {
      return this.#cutOff(error instanceof SyntaxError ? error.message : 'not JSON');
    }
    const parsed = this.#schema.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return this.#cutOff(`${issue?.path.join('.') ?? ''}: ${issue?.code ?? ''}`);
    }
    const reader = this.#settle();
    if (reader !== undefined) reader.resolve(parsed.data);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(parsed.data);
    else return this.#cutOff('too many messages at once');
    return true;
  }

  #cutOff(detail: string): false {
    this.#end(new KiwiError('agent-message-invalid', { detail }));
    this.#socket.destroy();
    return false;
  }

  #settle(): Reader<Incoming> | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }

  #end(why: KiwiError): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    this.#settle()?.reject(why);
    this.#close.abort();
  }
}
