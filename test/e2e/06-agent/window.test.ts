import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { View } from '../../../src/apps/desktop/view/view.ts';
import type { Laptop } from '../../lab/lab.ts';
import { PIN, World, type Reader } from '../../world/world.ts';
import { AgentRoom, as } from '../../world/agent-room.ts';

// The window without its page: the same main process, with the real agent, the real key lender, and a YubiKey.
const SERIAL = 31_000_002;
const NODE = path.join(import.meta.dirname, '../../../node_modules/.bin/node');

let dir: string;
let world: World;
let laptop: Laptop;
let room: AgentRoom;
let reader: Reader;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-window-'));
  world = await World.create({ dir });
  [laptop] = await Promise.all([world.addLaptop({ name: 'ada', resolved: true }), world.provisionKey(SERIAL)]);
  reader = await world.plugIn(laptop, undefined);
  room = await AgentRoom.set(world, laptop);
});
afterAll(async () => {
  await world.destroy();
  await rm(dir, { recursive: true, force: true });
});

/** What was shown, one view after the other; without those that only repeat a page. */
async function desk(who: 'ada' | 'bob', ...args: string[]): Promise<View[]> {
  const driver = path.join(import.meta.dirname, 'desk-driver.ts');
  const { stdout, stderr } = await laptop.run([...as(who), NODE, driver, ...args], { timeoutMs: 300_000 });
  const views = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as View);
  if (views.length === 0) throw new Error(stderr + room.log());
  return views.filter((view, index) => view.page !== views[index + 1]?.page);
}
const pages = (views: readonly View[]): string[] => views.map(({ page }) => page);

test('who may not enroll is told so', async () => {
  const views = await desk('bob', 'enroll');
  expect(views).toContainEqual(expect.objectContaining({ page: 'failed', undone: 'yes' }));
  expect(views.find(({ page }) => page === 'failed')).toMatchObject({ error: { code: 'not-authorised' } });
});

test('the key is waited for; for whom it is asked stands beside the PIN; a wrong one is asked for again; cancelling undoes all', async () => {
  const running = desk('ada', 'enroll', '000000', 'cancel');
  await expect.poll(() => room.log()).toMatch(/asked verb=enroll uid=2000/u);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await reader.control.insert(world.keyFile(SERIAL));
  const views = await running;
  expect(pages(views)).toEqual(
    expect.arrayContaining(['progress', 'key', 'pin', 'failed', 'looking', 'welcome']) as string[],
  );
  expect(views.filter(({ page }) => page === 'pin').at(-1)).toMatchObject({
    slice: { customer: 'Acme GmbH', code: expect.stringMatching(/^\d{6}$/u) as string },
    tries: 'low',
    refused: { code: 'pin-wrong' },
  });
  expect(views.find(({ page }) => page === 'failed')).toMatchObject({ error: { code: 'cancelled' }, undone: 'yes' });
  expect(views.at(-1)).toEqual({ page: 'welcome', resumable: false });
});

test('it is enrolled: PIN, touch, and the laptop’s status', async () => {
  const views = await desk('ada', 'enroll', PIN);
  expect(pages(views), JSON.stringify(views) + room.log()).toEqual(
    expect.arrayContaining(['progress', 'pin', 'touch', 'done', 'status']) as string[],
  );
  expect(views.find(({ page }) => page === 'done')).toMatchObject({ customer: 'Acme GmbH' });
  expect(views.at(-1)).toMatchObject({ page: 'status', status: { customer: 'Acme GmbH', tunnel: 'up' } });
  expect(JSON.stringify(views) + room.log()).not.toContain(PIN);
});

test('it leaves, and is welcome again', async () => {
  const views = await desk('ada', 'leave');
  expect(views.find(({ page }) => page === 'left')).toMatchObject({ customer: 'Acme GmbH', told: true });
  expect(views.at(-1)).toEqual({ page: 'welcome', resumable: false });
});
