import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Laptop } from '../../lab/lab.ts';
import { AgentRoom } from '../../world/agent-room.ts';
import { PIN, World, type Reader } from '../../world/world.ts';
import { buildWindow, Desktop, type OpenWindow } from './desktop.ts';

// The window as a person has it: Electron with its sandbox, the real agent and key lender, a YubiKey, and a slice.
const SERIAL = 31_000_003;

let dir: string;
let world: World;
let laptop: Laptop;
let room: AgentRoom;
let reader: Reader;
let desktop: Desktop;
let window: OpenWindow;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-electron-'));
  buildWindow();
  world = await World.create({ dir });
  [laptop] = await Promise.all([world.addLaptop({ name: 'ada', resolved: true }), world.provisionKey(SERIAL)]);
  reader = await world.plugIn(laptop, undefined, { mode: 'manual', places: 2 });
  room = await AgentRoom.set(world, laptop);
  desktop = await Desktop.start(laptop, 'ada', dir);
  window = await desktop.open();
});
afterAll(async () => {
  await window.app.close();
  await world.destroy();
  await rm(dir, { recursive: true, force: true });
});

const heading = (): Promise<string | null> => window.page.textContent('h1');
const press = (name: string | RegExp): Promise<void> => window.page.getByRole('button', { name }).click();
const on = (title: string | RegExp): Promise<void> =>
  expect
    .poll(heading, { message: room.log() })
    .toMatch(typeof title === 'string' ? new RegExp(`^${title}`, 'u') : title);

test('welcome, key, PIN, touch, progress, done, status', async () => {
  await on('Set up this laptop for work');
  await press('Set up this laptop');
  await on('Plug in your YubiKey');
  await reader.control.insert(world.keyFile(SERIAL));
  await on('Enter the PIN');
  await window.page.getByLabel(/PIN of YubiKey/u).fill(PIN);
  await window.page.keyboard.press('Enter');
  await on('Touch your YubiKey');
  await reader.control.untilBlinking();
  await reader.control.touch();
  await on('This laptop is ready');
  await press('Show the state');
  await on(/All is well|Something needs attention/u);
});
