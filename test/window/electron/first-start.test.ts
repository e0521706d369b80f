import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { LinuxClaimScreens } from '../../../platform/linux/claim-screens.ts';
import { linuxSystem } from '../../../platform/linux/system.ts';
import { CLAIM_STAND, type ClaimStand } from '../../../src/local-api/claim-stand.ts';
import { Lab, type Laptop } from '../../lab/lab.ts';
import { addPeople } from '../../world/agent-room.ts';
import { buildWindow, Desktop, type OpenWindow } from './desktop.ts';

// The window at the first start of a laptop from an OEM, as its unit runs it: nobody is logged in, and its user owns nothing. What the
// claim says is played into the file by what the claim writes it with.
let dir: string;
let lab: Lab;
let laptop: Laptop;
let screens: LinuxClaimScreens;
let window: OpenWindow | undefined;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-first-'));
  buildWindow();
  lab = await Lab.create({ dir });
  laptop = await lab.addLaptop({ name: 'ada' });
  await addPeople(laptop);
});
afterAll(async () => {
  await lab.destroy();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(() => {
  screens = new LinuxClaimScreens({ ...linuxSystem, root: path.dirname(laptop.path('/run')) });
});
afterEach(async () => {
  await window?.app.close().catch(() => undefined);
  window = undefined;
  await rm(laptop.path(path.dirname(CLAIM_STAND)), { recursive: true, force: true });
});

const customer = 'Acme & Söhne GmbH';
const DIGITS: ClaimStand = { state: 'waits', customer, for: 'an operator', code: '428913' };
const inTheWay = (code: 'gateway-unreachable' | 'gateway-answer-invalid'): ClaimStand => ({
  ...{ state: 'retries', customer, error: { code } },
  again: new Date(Date.now() + 90_000).toISOString(),
});
const play = (stand: ClaimStand): Promise<void> => screens.window(JSON.stringify(stand));

/** Opens it, and notes how its program ends. */
async function open(
  desktop: Desktop,
  language: string,
  args: readonly string[] = [],
): Promise<{ ended: Promise<unknown[]> }> {
  window = await desktop.open(language, ['--first-boot', ...args]);
  return { ended: once(window.app.process(), 'exit') };
}
const page = (): OpenWindow['page'] => {
  if (window === undefined) throw new TypeError('no window');
  return window.page;
};
const on = (title: string): Promise<void> => expect.poll(() => page().textContent('h1')).toBe(title);
const readOut = (): Promise<string | null> => page().getByRole('status').textContent();
const focused = (): Promise<string> => page().evaluate<string>(`document.activeElement.textContent`);

test('no network, a page that wants a sign-in, the digits, claimed: then it ends by itself', async () => {
  const { ended } = await open(await Desktop.start(laptop, 'ada', dir), 'en');
  await on('This laptop is being set up');
  expect(await focused()).toBe('This laptop is being set up');
  expect(await readOut()).toBe('It begins in a moment.');

  await play(inTheWay('gateway-unreachable'));
  await on('This laptop needs a network');
  expect(await readOut()).toContain('cannot be reached');
  expect(await readOut()).toContain('within 2 minutes');
  expect(await page().textContent('main')).toContain('Plug in a network cable.');

  // Whoever is on the button stays there, whatever comes.
  await page().keyboard.press('Tab');
  expect(await focused()).toBe('Go to the login screen');
  await play(inTheWay('gateway-answer-invalid'));
  await on('This network lets nothing through');
  expect(await focused()).toBe('Go to the login screen');

  await play(DIGITS);
  await on('This laptop waits to be let in');
  expect(await page().textContent('.digits')).toBe('428 913');
  expect(await readOut()).toContain(`Tell ${customer} these six digits.`);

  await play({ state: 'claimed', customer });
  await on('This laptop is ready');
  expect(await ended).toEqual([0, null]);
});

test('it has the whole screen, and nothing but its button, which ends it while the claim goes on', async () => {
  await play(DIGITS);
  const { ended } = await open(await Desktop.start(laptop, 'ada', dir), 'de');
  await on('Dieser Laptop wartet auf Einlass');
  expect(await page().evaluate(`[innerWidth, innerHeight]`)).toEqual([1100, 1000]);
  const before = await page().textContent('main');
  await page().evaluate(`kiwi.enroll(); kiwi.refresh(); kiwi.report(); kiwi.copy('x'); kiwi.leave();`);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await page().textContent('main')).toBe(before);
  // The page may be gone before the click is said to be done: what counts is how the program ends.
  const clicked = page().getByRole('button', { name: 'Zur Anmeldung' }).click();
  await Promise.all([clicked.catch(() => undefined), expect(ended).resolves.toEqual([0, null])]);
});

test('what somebody else could have written is not shown', async () => {
  await play({ state: 'waits', customer: 'Attacker', for: 'you', code: '666666' });
  await chown(laptop.path(path.dirname(CLAIM_STAND)), 2001, 2001);
  await open(await Desktop.start(laptop, 'ada', dir), 'en');
  await on('This laptop is being set up');
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(await page().textContent('main')).not.toContain('666');
  await chown(laptop.path(path.dirname(CLAIM_STAND)), 0, 0);
  await on('This laptop waits to be let in');
});

test('where its page does not come, it ends, so that the login screen does', async () => {
  await play(DIGITS);
  const { ended } = await open(await Desktop.start(laptop, 'ada', dir), 'en');
  await on('This laptop waits to be let in');
  await window?.app.evaluate(({ BrowserWindow }) => {
    BrowserWindow.getAllWindows()[0]?.webContents.forcefullyCrashRenderer();
  });
  expect(await ended).toEqual([1, null]);
});

test('under cage it is there in Wayland, on the whole screen, and cage ends with it', async () => {
  await play(DIGITS);
  const desktop = await Desktop.startKiosk(laptop, 'ada', dir);
  const { ended } = await open(desktop, 'en', ['--ozone-platform=wayland']);
  await on('This laptop waits to be let in');
  // What wlroots' screen without a monitor has.
  expect(await page().evaluate(`[innerWidth, innerHeight]`)).toEqual([1280, 720]);
  await play({ state: 'claimed', customer });
  await on('This laptop is ready');
  expect(await ended).toEqual([0, null]);
});
