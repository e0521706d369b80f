import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openSqliteRegistry } from '../../../src/slice/registry/sqlite/sqlite-registry.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';

// Many connections and requests that prove nothing, from several addresses of the loopback network.

/** The connections of an address and of a network, and the audit records of a network, follow from this. */
const RATE = { burst: 20, perSecond: 5 };

let slice: TestSlice;
beforeAll(async () => {
  slice = await startTestSlice({ init: { rateLimit: RATE } });
});
afterAll(() => slice.remove());

const open = (localAddress: string): Socket =>
  connect({ host: '127.0.0.1', port: slice.running.listen.port, localAddress });

/** Sends one request from an address, over a connection of its own. @returns the status line */
async function ask(localAddress: string, request: string): Promise<string> {
  const ca = readFileSync(slice.paths.webCa.certificate);
  const socket = connectTls({ socket: open(localAddress), servername: 'enroll.acme.example', ca });
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.write(`${request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  await once(socket, 'close');
  return answer.split('\r\n')[0] ?? '';
}

test('connections without a request are limited by address and closed after ten seconds; others are served', async () => {
  const began = performance.now();
  const sockets: Socket[] = [];
  const closed: Promise<unknown>[] = [];
  for (let n = 0; n < 100; n++) {
    const socket = open('127.0.7.1');
    // The gateway resets what is too many.
    socket.on('error', () => undefined);
    sockets.push(socket);
    closed.push(new Promise((resolve) => socket.once('close', resolve)));
  }
  const left = (): number => sockets.filter((socket) => !socket.closed).length;
  while (left() > 2 * RATE.burst && performance.now() - began < 5000) await sleep(20);
  expect(left()).toBe(2 * RATE.burst);
  expect(await ask('127.0.8.1', 'GET /healthz')).toBe('HTTP/1.1 200 OK');
  await Promise.all(closed);
  expect(performance.now() - began).toBeLessThan(25_000);
  expect(await ask('127.0.7.1', 'GET /healthz')).toBe('HTTP/1.1 200 OK');
}, 60_000);

test('refusals of a network are recorded one by one up to a limit, then as one sum', async () => {
  const { registry } = slice.running.context;
  const before = (await registry.listAudit(1000)).length;
  const addresses = ['127.0.3.1', '127.0.3.2', '127.0.3.3', '127.0.3.4'];
  for (const address of addresses) {
    const statuses = await Promise.all(
      Array.from({ length: 12 }, () => ask(address, 'PUT /v1/enrollments/x/statement')),
    );
    expect(new Set(statuses)).toEqual(new Set(['HTTP/1.1 400 Bad Request']));
  }
  const records = (await registry.listAudit(1000)).slice(0, -before || undefined);
  expect(records.length).toBeGreaterThanOrEqual(RATE.burst);
  expect(records.length).toBeLessThan(RATE.burst + 5);
  await slice.stop();
  const reopened = openSqliteRegistry(slice.paths.registry);
  const [sum] = await reopened.listAudit(1);
  reopened.close();
  expect(sum).toMatchObject({ action: 'gateway.refusals', actor: 'slice', decision: 'refused' });
  expect(sum?.why).toMatch(/\d+ request-malformed.*most from 127\.0\.[37]\.0\/24/u);
}, 60_000);
