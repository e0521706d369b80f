import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { NO_LOG } from '../../../../src/core/log.ts';
import { AgentService } from '../../../../src/laptop/service/agent-service.ts';
import type { Permission } from '../../../../src/laptop/system/authority.ts';
import type { LaptopContext } from '../../../../src/laptop/system/laptop-context.ts';

const ADA = { pid: 1, startTime: '1', uid: 2000 };
const ROOT = { ...ADA, uid: 0 };

let dir: string;
let server: Server;
let service: AgentService;
let caller: typeof ADA | undefined;
let asked: Permission[];
let idle: number;
/** What stands for the operation: the context is the first thing that it needs. */
let operation: (signal: AbortSignal) => Promise<LaptopContext>;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-service-'));
  caller = ADA;
  asked = [];
  idle = 0;
  operation = () => Promise.reject(new KiwiError('not-enrolled'));
  service = new AgentService({
    context: (signal) => operation(signal),
    authority: {
      require: (_, permission) => {
        asked.push(permission);
        return permission === 'uninstall' ? Promise.reject(new KiwiError('not-authorised')) : Promise.resolve();
      },
    },
    log: NO_LOG,
    onIdle: () => {
      idle++;
    },
  });
  server = createServer((socket) => {
    service.accept(socket, caller);
  }).listen(path.join(dir, 'socket'));
});
afterEach(async () => {
  server.close();
  await service.stop();
  await rm(dir, { recursive: true, force: true });
});

interface Line {
  readonly type: string;
  readonly error?: { readonly code: string };
}

/** Says this, and reads until the other side has ended it. */
function say(text: string | Buffer): Promise<Line[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path.join(dir, 'socket'), () => socket.write(text));
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => {
      resolve(said.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line])));
    });
  });
}

const codeOf = async (text: string | Buffer): Promise<string | undefined> => (await say(text)).at(-1)?.error?.code;
const MORE: Readonly<Record<string, object>> = {
  ...{ mend: { reason: 'asked' }, 'support-bundle': { send: true }, tunnel: { by: 'app' } },
};
const request = (verb: string): string => `${JSON.stringify({ api: 1, verb, ...MORE[verb] })}\n`;
/** Never does what it waits for, unless it is told to end. */
const forEver = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new DOMException('aborted', 'AbortError'));
    });
  });

describe('a request', () => {
  it('is carried out if its permission is there; each verb has its own', async () => {
    const verbs = ['status', 'doctor', 'check', 'renew', 'enroll', 'mend', 'repair', 'tunnel', 'support-bundle'];
    for (const verb of verbs) {
      expect(await codeOf(request(verb)), verb).toBe('not-enrolled');
    }
    expect(await codeOf(request('uninstall'))).toBe('not-authorised');
    expect(asked).toEqual([
      ...['read', 'read', 'upkeep', 'upkeep', 'enroll', 'upkeep', 'repair', 'repair', 'support', 'uninstall'],
    ]);
    expect(idle).toBe(asked.length);
  });

  it.each([
    ['an unknown verb', '{"api":1,"verb":"shutdown"}\n'],
    ['a later version', '{"api":2,"verb":"status"}\n'],
    ['no JSON', 'GET / HTTP/1.1\r\n'],
    ['a reason that nobody has', '{"api":1,"verb":"mend","reason":"; reboot"}\n'],
    ['a keeper that there is not', '{"api":1,"verb":"tunnel","by":"/bin/sh"}\n'],
    ['a place for a bundle', '{"api":1,"verb":"support-bundle","send":false,"output":"/etc/cron.d/x"}\n'],
    ['a bundle to send', '{"api":1,"verb":"support-bundle","send":true,"bundle":"{}"}\n'],
    ['two members of one name', '{"api":1,"verb":"status","verb":"uninstall"}\n'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x0a])],
    ['a line that is too long', `${'x'.repeat(64 * 1024 + 1)}\n`],
    ['a line that does not end', 'x'.repeat(1024 * 1024)],
  ])('is refused before anybody is asked: %s', async (_, text) => {
    expect(await codeOf(text).catch(() => 'agent-answer-invalid')).toBe('agent-answer-invalid');
    expect(asked).toEqual([]);
    expect(service.isIdle).toBe(true);
  });

  it('of which only half comes keeps nobody waiting', async () => {
    const socket = connect(path.join(dir, 'socket'), () => socket.end('{"api":1,"ver'));
    await new Promise((resolve) => socket.on('close', resolve).resume());
    await expect.poll(() => service.isIdle).toBe(true);
    expect(asked).toEqual([]);
  });

  it('of which nothing comes is ended after some seconds', async () => {
    const before = performance.now();
    await say('{');
    expect(performance.now() - before).toBeGreaterThan(4_000);
    await expect.poll(() => service.isIdle).toBe(true);
  });

  it('of a caller whom the system does not know is refused', async () => {
    caller = undefined;
    expect(await codeOf(request('status'))).toBe('not-authorised');
    expect(asked).toEqual([]);
  });
});

describe('many callers', () => {
  it('of one user get sixteen places; other users and root are still served', async () => {
    operation = forEver;
    const sockets = await Promise.all(Array.from({ length: 16 }, () => open(request('status'))));
    await expect.poll(() => asked.length).toBe(16);
    for (let i = 0; i < 84; i++) expect(await codeOf(request('status'))).toBe('agent-busy');
    operation = () => Promise.reject(new KiwiError('not-enrolled'));
    for (const other of [{ ...ADA, uid: 2001 }, ROOT]) {
      caller = other;
      expect(await codeOf(request('status'))).toBe('not-enrolled');
    }
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => service.isIdle).toBe(true);
  });
});

describe('a caller that goes away', () => {
  it.each(['status', 'doctor', 'enroll', 'tunnel', 'support-bundle'])('ends %s', async (verb) => {
    operation = forEver;
    const socket = await open(request(verb));
    await expect.poll(() => asked.length).toBe(1);
    socket.destroy();
    await expect.poll(() => service.isIdle).toBe(true);
  });

  it.each(['check', 'renew', 'mend', 'repair'])('does not end %s, which Ctrl-C does', async (verb) => {
    let aborted = false;
    operation = (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return forEver(signal);
    };
    const socket = await open(request(verb));
    await expect.poll(() => asked.length).toBe(1);
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect({ aborted, idle: service.isIdle }).toEqual({ aborted: false, idle: false });
    expect(await codeOf(`${request(verb)}{"type":"cancel"}\n`)).toBe('cancelled');
    await service.stop();
    expect(aborted).toBe(true);
    expect(await codeOf(request(verb))).toBe('cancelled');
  });

  it('is one that says what is no message', async () => {
    operation = forEver;
    expect(await codeOf(`${request('enroll')}{"type":"pin","pin":"123456"}\n`)).toBe('cancelled');
  });
});

function open(text: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(path.join(dir, 'socket'), () => {
      socket.write(text);
      resolve(socket);
    });
  });
}
