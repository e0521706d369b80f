import { createSocket, type Socket } from 'node:dgram';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { Lab, type Laptop } from '../../lab/lab.ts';
import { ATTACKS } from './attack-table.ts';
import { addPeople } from '../../world/agent-room.ts';
import { buildWindow, Desktop, type OpenWindow } from './desktop.ts';

let dir: string;
let lab: Lab;
let laptop: Laptop;
let window: OpenWindow;
let server: Server;
let udp: Socket;
/** What reached this machine's own server. */
const reached: string[] = [];
const place = { OUT: '', UDP: 0 };

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-attacks-'));
  buildWindow();
  server = createServer((request, response) => {
    reached.push(request.url ?? '');
    response.setHeader('access-control-allow-origin', '*').end('x');
  });
  server.on('connection', () => reached.push('connection'));
  udp = createSocket('udp4', () => reached.push('datagram'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  place.OUT = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  place.UDP = udp.address().port;
  lab = await Lab.create({ dir });
  laptop = await lab.addLaptop({ name: 'ada' });
  await addPeople(laptop);
  window = await (await Desktop.start(laptop, 'ada', dir)).open();
});
afterAll(async () => {
  await window.app.close();
  await lab.destroy();
  server.close();
  udp.close();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(() => {
  reached.length = 0;
});

/** Runs it as the page's own code: in a task of the page, not in the debugger's, for which the page's policy would not hold. */
const attempt = (script: string): Promise<unknown> =>
  window.page.evaluate(`new Promise((resolve) => setTimeout(() => {
    const OUT = ${JSON.stringify(place.OUT)}, UDP = ${place.UDP};
    (async () => { ${script} })().then(resolve, (error) => resolve('threw ' + error.name + ': ' + error.message));
  }, 0))`);

test.each(ATTACKS)('$name', async ({ script, expected }) => {
  expect(await attempt(script)).toEqual(expected);
  expect(reached).toEqual([]);
  expect(window.app.windows().map((page) => page.url())).toEqual(['kiwi://app/index.html']);
  expect(await window.page.locator('h1').count()).toBe(1);
  expect(await window.page.evaluate(`typeof kiwi.enroll + globalThis.ran`)).not.toMatch(/[1-9]/u);
});

test('nothing was put on the disk of the person', async () => {
  const files = await readdir(path.join(laptop.root, 'home/ada'));
  expect(files.filter((name) => !name.startsWith('.'))).toEqual([]);
});
