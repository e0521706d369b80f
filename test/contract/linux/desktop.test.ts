import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { startDesktop, type FakeDesktop } from '../../fakes/desktop/start-desktop.ts';
import type { Laptop } from '../../lab/lab.ts';
import { drive, makeLab, must } from './drive.ts';

// The bus is a real dbus-daemon of the user, and the call is made by the real busctl.

let laptop: Laptop;
let destroy: () => Promise<void>;
const desktops: FakeDesktop[] = [];
beforeAll(async () => {
  const made = await makeLab();
  destroy = made.destroy;
  laptop = await made.lab.addLaptop({ name: 'anna' });
});
afterAll(() => destroy());
afterEach(async () => {
  for (const desktop of desktops.splice(0)) await desktop.stop();
});

const NOTICE = {
  title: 'Connect this laptop to the internet',
  body: 'Soon it would have to be enrolled again: $(reboot) "now"',
};
const ANNA = { id: 'c1000', uid: 1000 };
const start = async (uid: number, options = {}): Promise<FakeDesktop> => {
  const desktop = await startDesktop(laptop, uid, options);
  desktops.push(desktop);
  return desktop;
};
const sessions = async (): Promise<unknown> => (await drive(laptop, 'desktop', { verb: 'sessions' })).ok;

describe('the desktops of a laptop', () => {
  it('are none before anybody logs in', async () => {
    expect(await sessions()).toEqual([]);
    expect((await drive(laptop, 'desktop', { verb: 'show', session: ANNA, notice: NOTICE })).ok).toBeNull();
  });

  it('show a notice to the user, as the user, and take it away', async () => {
    const anna = await start(1000);
    const ben = await start(1001);
    expect(await sessions()).toEqual([ANNA, { id: 'c1001', uid: 1001 }]);
    expect(anna.heard).toEqual([{ type: 'ready', uid: 1000 }]);
    const { ok: notice } = await drive(laptop, 'desktop', { verb: 'show', session: ANNA, notice: NOTICE });
    expect(notice).toBe(41);
    await drive(laptop, 'desktop', { verb: 'close', session: ANNA, notice });
    const { title, body: text } = NOTICE;
    expect(anna.heard.slice(1)).toEqual([
      expect.objectContaining({ type: 'notify', app: 'KiwiStack', title, text, notice: 41, replaces: 0 }),
      { type: 'close', notice: 41 },
    ]);
    expect(ben.heard).toHaveLength(1);
  });

  it('hold nobody up when their service hangs', async () => {
    await start(1000, { silent: true });
    const { ok, ms } = await drive(laptop, 'desktop', { verb: 'show', session: ANNA, notice: NOTICE });
    expect(ok).toBeNull();
    expect(ms).toBeLessThan(30_000);
  });

  it('are not reached through a link to the bus of somebody else', async () => {
    const ben = await start(1001);
    await must(laptop, [
      '/bin/sh',
      '-ec',
      'mkdir -p /run/user/1000; chown 1000 /run/user/1000; ln -s /run/user/1001/bus /run/user/1000/bus',
    ]);
    expect((await drive(laptop, 'desktop', { verb: 'show', session: ANNA, notice: NOTICE })).ok).toBeNull();
    expect(ben.heard).toHaveLength(1);
    await must(laptop, ['/bin/rm', '-r', '/run/user/1000']);
  });
});
