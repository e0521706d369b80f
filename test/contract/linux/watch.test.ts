import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Lab, Laptop } from '../../lab/lab.ts';
import { PORT, startPings, startWatcher, tunnelTo, type Server } from '../../world/watched-tunnel.ts';
import { CLI } from '../../world/world.ts';
import { makeLab } from './drive.ts';

/** WireGuard alone takes at least this long after each of these events; the watcher has to be much faster, also beside others. */
const ALONE_MS = 15_000;

let lab: Lab;
let laptop: Laptop;
let server: Server;
let watcher: Awaited<ReturnType<typeof startWatcher>>;
let pings: ReturnType<typeof startPings>;
let destroy: () => Promise<void>;

beforeAll(async () => {
  ({ lab, destroy } = await makeLab());
  laptop = await lab.addLaptop({ name: 'wanda' });
  server = await tunnelTo(lab, laptop, {
    ...{ server: 'wgwatch0', address: '10.77.0.7', endpoints: [`enroll.acme.example:${PORT}`] },
  });
  watcher = await startWatcher(laptop, CLI);
  pings = startPings(laptop);
  await pings.answeredAfter(Date.now(), 5_000);
});
afterAll(async () => {
  pings.stop();
  await watcher.stop();
  await destroy();
});
afterEach(() => {
  console.info(watcher.said.splice(0).join('\n'));
});

/** Plays an event and returns how long the laptop was without an answer after it. */
async function until(event: () => Promise<unknown>): Promise<number> {
  await event();
  const ms = await pings.answeredAfter(Date.now(), 60_000);
  console.info(`answered after ${Math.round(ms)} ms`);
  return ms;
}

describe('the tunnel is back', () => {
  it('after the server was restarted', async () => {
    expect(await until(() => server.restart())).toBeLessThan(ALONE_MS);
    await expect.poll(() => watcher.said.join('\n')).toContain('"mendedBy":"readd"');
  });
});
