import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';

import { Pool } from 'undici';

import { MEDIA } from '../../../src/protocol/common.ts';
import type { FaultySlice } from './faulty-slice.ts';
import type { Edge, Life } from './laptop.ts';
import type { Random } from '../../random.ts';

export const FAULTS = [
  'request lost',
  'request late',
  'reply lost',
  'reply late',
  'reply cut off',
  'reply clipped',
  'doubled, first reply',
  'doubled, second reply',
  'doubled at once',
  'doubled, once late',
  'older reply',
  'error page',
] as const;
export type Fault = (typeof FAULTS)[number];

interface Message {
  /** hello, statement, confirm, status, leave, package */
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly type: string | undefined;
  readonly body: Buffer;
}
interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

/** What one schedule makes of the network; nothing of an earlier one is left in it. */
export interface Weather {
  readonly slice: FaultySlice;
  readonly random: Random;
  /** How likely a request is to suffer; 0 is a network as it should be. */
  risk: number;
  readonly tell: (line: string) => void;
  /** Why this start of the program may fail: what happens to it is more than trying again can mend. */
  readonly excuse: (why: string) => void;
  readonly edge: Edge;
}

/** The way between laptops and gateway: it opens TLS, as a company's proxy may, and does to messages what networks do. */
export interface FaultyNetwork {
  readonly requests: Map<string, number>;
  readonly faults: Map<Fault, number>;
  begin(weather: Weather): void;
  /** Whose connections are those that come from now on; undefined: nobody's. */
  serve(life: Life | undefined): void;
  /** All that is under way is done. */
  quiet(): Promise<void>;
  /** What is held back arrives too. */
  settle(): Promise<void>;
  /** Ends every connection, those of the dead too. */
  hangUp(): void;
  close(): Promise<void>;
}

const LATE_MS = 30_000;
/** So often a client sends a request; a download is not sent again. */
const TRIES: Readonly<Record<string, number>> = { package: 1 };
const USUAL_TRIES = 4;

export async function startFaultyNetwork(slice: FaultySlice): Promise<FaultyNetwork> {
  const pool = new Pool(`https://127.0.0.1:${slice.gatewayPort}`, { connections: 4, connect: { ca: slice.webCa } });
  const requests = new Map<string, number>();
  const faults = new Map<Fault, number>();
  const lives = new WeakMap<object, Life>();
  const sockets = new Set<TLSSocket>();
  const underWay = new Set<Promise<unknown>>();
  let held: { message: Message; after: number; of: Life }[] = [];
  let seen: { message: Message; reply: Reply }[] = [];
  let weather: Weather | undefined;
  let serving: Life | undefined;
  /** How many tries of a request of this start have failed one after the other. */
  const failing = new Map<string, number>();

  const forward = async (message: Message): Promise<Reply> => {
    const { method, path, type, body } = message;
    const answer = await pool.request({
      path,
      method,
      headers: type === undefined ? {} : { 'content-type': type },
      body: method === 'GET' ? null : body,
    });
    const given = answer.headers['content-type'];
    const reply = {
      status: answer.statusCode,
      type: typeof given === 'string' ? given : '',
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
    if (reply.status === 200) seen.push({ message, reply });
    return reply;
  };
  const inBackground = (message: Message): void => {
    const sent: Promise<unknown> = forward(message).finally(() => underWay.delete(sent));
    underWay.add(sent);
  };
  const quiet = async (): Promise<void> => {
    await Promise.allSettled(underWay);
  };
  const hold = (message: Message, of: Life, { random }: Weather): void =>
    void held.push({ message, of, after: random.pick([1, 1, 2, 3, 5, 8, 13, 100]) });
  const releaseDue = (now: Weather, life: Life): void => {
    held = held.map((entry) => ({ ...entry, after: entry.after - 1 }));
    for (const { message, after, of } of held) {
      if (after > 0) continue;
      now.tell(`  (the late ${message.kind} arrives)`);
      if (of !== life) now.excuse('something of an earlier start arrives');
      inBackground(message);
    }
    held = held.filter(({ after }) => after > 0);
  };
  /** Keeps count of what trying again can mend, and says when it is more. */
  const weigh = (kind: string, fault: Fault | undefined, reply: Reply | undefined, now: Weather): void => {
    const failed = reply === undefined || reply.status >= 500 || fault === 'reply cut off' || fault === 'error page';
    const count = failed ? (failing.get(kind) ?? 0) + 1 : 0;
    failing.set(kind, count);
    if (count >= (TRIES[kind] ?? USUAL_TRIES)) now.excuse(`${kind}: no try succeeds`);
    if (fault === 'reply clipped' || (fault === 'older reply' && reply !== undefined)) now.excuse(`${kind}: ${fault}`);
  };

  const handle = async (
    request: IncomingMessage,
    response: ServerResponse,
    life: Life,
    now: Weather,
  ): Promise<void> => {
    const message = await read(request);
    const { kind } = message;
    requests.set(kind, (requests.get(kind) ?? 0) + 1);
    slice.clock.pass(1);
    releaseDue(now, life);
    await now.edge(life, `${kind} under way`);
    const fault = now.random.next() < now.risk ? now.random.pick(FAULTS) : undefined;
    if (fault !== undefined) faults.set(fault, (faults.get(fault) ?? 0) + 1);
    now.tell(`  ${kind}: ${fault ?? 'passes'}`);
    const reply = await suffer(message, fault, life, now);
    weigh(kind, fault, reply, now);
    await now.edge(life, `${kind} answered`);
    if (reply === undefined) request.socket.destroy();
    else await answer(response, reply, fault === 'reply cut off' ? now.random.pick([0, 0.5, 0.99]) : 1);
  };

  /** @returns what the laptop gets; undefined when its connection breaks */
  const suffer = async (
    message: Message,
    fault: Fault | undefined,
    life: Life,
    now: Weather,
  ): Promise<Reply | undefined> => {
    switch (fault) {
      case undefined:
      case 'reply cut off':
        return forward(message);
      case 'request lost':
        return undefined;
      case 'request late':
        slice.clock.pass(LATE_MS);
        hold(message, life, now);
        return undefined;
      case 'reply lost':
        await forward(message);
        return undefined;
      case 'reply late':
        slice.clock.pass(LATE_MS);
        inBackground(message);
        return undefined;
      case 'reply clipped': {
        const reply = await forward(message);
        return { ...reply, body: reply.body.subarray(0, reply.body.length / 2) };
      }
      case 'doubled, first reply': {
        const reply = await forward(message);
        await forward(message);
        return reply;
      }
      case 'doubled, second reply':
        await forward(message);
        return forward(message);
      case 'doubled at once':
        return Promise.race([forward(message), forward(message)]);
      case 'doubled, once late':
        hold(message, life, now);
        return forward(message);
      case 'older reply': {
        const older = seen.filter(
          (entry) => entry.message.kind === message.kind && !entry.message.body.equals(message.body),
        );
        const reply = older.length === 0 ? undefined : now.random.pick(older as [(typeof older)[0]]).reply;
        if (now.random.next() < 0.5) await forward(message);
        return reply;
      }
      case 'error page':
        await forward(message);
        return { status: 502, type: 'text/html', body: Buffer.from('<h1>Bad gateway</h1>') };
    }
  };

  const server: Server = createServer({ cert: slice.tls.certificate, key: slice.tls.key }, (request, response) => {
    const life = lives.get(request.socket);
    if (life === undefined || weather === undefined) return void request.socket.destroy();
    // The dead get no answer, and not even the news that there is none.
    if (life.dead) return;
    handle(request, response, life, weather).catch(() => request.socket.destroy());
  });
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    if (serving !== undefined) lives.set(socket, serving);
  });
  await new Promise<void>((resolve) => server.listen(slice.proxyPort, '127.0.0.1', resolve));

  return {
    requests,
    faults,
    begin(next) {
      weather = next;
      held = [];
      seen = [];
    },
    serve(life) {
      serving = life;
      failing.clear();
    },
    quiet,
    async settle() {
      for (const { message } of held) {
        weather?.tell(`  (the late ${message.kind} arrives)`);
        inBackground(message);
      }
      held = [];
      await quiet();
    },
    hangUp() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      await pool.destroy();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(request: IncomingMessage): Promise<Message> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const path = request.url ?? '/';
  const [, , place = '', , verb] = path.split('/');
  const kind = place === 'packages' ? 'package' : (verb ?? 'hello');
  const { method = 'GET', headers } = request;
  return { kind, method, path, type: headers['content-type'], body: Buffer.concat(chunks) };
}

/** @param part how much of the body is sent before the connection breaks; 1: all, and it does not break */
async function answer(response: ServerResponse, { status, type, body }: Reply, part: number): Promise<void> {
  response.writeHead(status, { 'content-type': type || MEDIA.json, 'content-length': body.length });
  if (part === 1) {
    response.end(body);
    return;
  }
  response.flushHeaders();
  await new Promise((resolve) => response.write(body.subarray(0, Math.floor(body.length * part)), resolve));
  response.socket?.destroy();
}
