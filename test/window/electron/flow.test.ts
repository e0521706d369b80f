import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { readSliceConfig, writeSliceConfig } from '../../../src/slice/config/slice-config.ts';
import type { Laptop } from '../../lab/lab.ts';
import { AgentRoom } from '../../world/agent-room.ts';
import { PIN, World, type Reader } from '../../world/world.ts';
import { buildWindow, Desktop, type OpenWindow } from './desktop.ts';

// The window as a person has it: Electron with its sandbox, the real agent and key lender, YubiKeys, and a slice. One laptop lives
// through it from its first page to its last; each test begins at the welcome, or at the status once it is enrolled.
const SERIAL = 31_000_003;
const OTHER = 31_000_004;
const LINKS = [
  { title: 'Portal', url: 'https://portal.acme.example/' },
  { title: 'Help & questions', url: 'https://help.acme.example/laptop' },
] as const;
/** What a touch by accident types: 44 letters. */
const ONE_TIME_PASSWORD = 'cccccclhbcdfkbgkjtvrhdlneutiihlkvbuccigcbkjr';

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
  await world.stopSlice();
  await writeSliceConfig(world.sliceDir, { ...(await readSliceConfig(world.sliceDir)), links: [...LINKS] });
  await world.startSlice();
  laptop = await world.addLaptop({ name: 'ada', resolved: true });
  await world.provisionKey(SERIAL);
  await world.provisionKey(OTHER);
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
const said = (): Promise<string | null> => window.page.textContent('main');
const press = (name: string | RegExp): Promise<void> => window.page.getByRole('button', { name }).first().click();
const on = async (title: RegExp): Promise<void> => {
  try {
    await expect.poll(heading).toMatch(title);
  } catch (error) {
    throw new Error(`${String(await said())}\n${room.log().slice(-2000)}`, { cause: error });
  }
};
const pinField = () => window.page.getByLabel(/PIN of YubiKey/u);
const enterPin = async (pin: string): Promise<void> => {
  await pinField().fill(pin);
  await window.page.keyboard.press('Enter');
};
/** To the page that asks for the PIN, with a key plugged in. */
const toPin = async (): Promise<void> => {
  await press('Set up this laptop');
  await on(/^Plug in your YubiKey/u);
  await reader.control.insert(world.keyFile(SERIAL));
  await on(/^Enter the PIN/u);
};
/** Nothing of an enrollment is on the laptop or at the slice, as root and the operator see it. */
const expectNothingLeft = async (): Promise<void> => {
  expect((await room.cli('root', ['status', '--json'])).result).toMatchObject({ result: 'not-enrolled' });
  const { stdout } = await world.operator(['device', 'list', '--dir', world.sliceDir, '--json']);
  expect(stdout).not.toMatch(/"state": ?"(?:reserved|pending|active)"/u);
};

beforeEach(async () => {
  await reader.control.pull().catch(() => undefined);
  await reader.control.touchMode('manual');
});

test('how soon it is there is measured: first paint after the page’s beginning, heading after the start', async () => {
  const paint = await window.page.evaluate<number>(
    `new Promise((resolve) => new PerformanceObserver((list) => resolve(list.getEntries()[0].startTime)).observe({ type: 'paint', buffered: true }))`,
  );
  console.log(
    `first paint ${Math.round(paint)} ms after the page began; heading ${Math.round(window.openedAfterMs)} ms after the start`,
  );
  expect(paint).toBeGreaterThan(0);
  await on(/^Set up this laptop for work/u);
});

test('a wrong PIN, a one-time password, a key that is pulled, and cancelling: nothing is left', async () => {
  await toPin();
  const code = (await window.page.textContent('.code'))?.replace(' ', '');
  expect(await said()).toContain('Acme GmbH');
  const sessions = await world.operator(['session', 'list', '--dir', world.sliceDir, '--json']);
  expect(sessions.stdout).toContain(code);

  // A touch by accident: 44 letters, typed into the field as a keyboard does. No try is used.
  await pinField().pressSequentially(ONE_TIME_PASSWORD);
  await window.page.keyboard.press('Enter');
  expect(await window.page.getByRole('alert').textContent()).toContain('one-time password');
  expect(await pinField().inputValue()).toBe('');
  await enterPin('12345');
  expect(await window.page.getByRole('alert').textContent()).toContain('6 to 8');

  await enterPin('000000');
  await expect.poll(() => window.page.getByRole('alert').textContent()).toContain('not the PIN');
  expect(await said()).toContain('2 tries are left');

  await press('Cancel');
  await on(/^Cancelled/u);
  expect(await said()).toContain('undone');
  await expectNothingLeft();
  await press('Try again');
  await on(/^Set up this laptop for work/u);
});

test('the key is pulled while its touch is waited for', async () => {
  await toPin();
  await enterPin(PIN);
  await on(/^Touch your YubiKey/u);
  await reader.control.untilBlinking();
  await reader.control.pull();
  await on(/^It did not work/u);
  expect(await said()).toContain('The YubiKey was unplugged.');
  await expectNothingLeft();
  await press('Try again');
  await on(/^Set up this laptop for work/u);
});

test('a run is cut off, and goes on with one button', async () => {
  await toPin();
  await enterPin(PIN);
  await on(/^Touch your YubiKey/u);
  await reader.control.untilBlinking();
  await reader.control.touch();
  // The agent is killed in the middle, after the touch.
  await window.page.getByText('Start the secure connection').waitFor();
  await laptop.run(['/usr/bin/pkill', '-KILL', '-f', '^[^ ]*node [^ ]*(kiwistack-agent\\.js|apps/agent/main\\.ts)$']);
  await on(/^It did not work/u);
  expect(await said()).toContain('not known what was undone');
  await press('Try again');
  await on(/^Set up this laptop for work/u);
  await press('Continue the setup');
  await on(/^This laptop is ready/u);
  expect(await said()).toContain('ada belongs to Acme GmbH now');
  // The slice has named them; the system opens what the person presses, and nothing else of it.
  await laptop.run(['/bin/sh', '-c', 'rm /usr/bin/xdg-open; cat >/usr/bin/xdg-open; chmod 755 /usr/bin/xdg-open'], {
    input: '#!/bin/sh\necho "$@" >>/tmp/opened\n',
  });
  await press(/^Help/u);
  await expect.poll(() => readFile(laptop.path('/tmp/opened'), 'utf8').catch(() => '')).toBe(`${LINKS[1].url}\n`);
  await press('Show the state');
  await on(/^(All is well|Something needs attention)/u);
  expect(await said()).toContain('Opens portal.acme.example in your browser');
});

test('what is broken is named, and repaired by a button', async () => {
  await laptop.run(['/bin/chmod', '644', '/etc/step/certs/acme.key']);
  await press('Check again');
  await expect.poll(said).toContain('A file of the setup has the wrong owner or rights.');
  await window.page.getByText('Details for your operator').click();
  await press('Copy the details');
  await expect.poll(() => window.app.evaluate(({ clipboard }) => clipboard.readText())).toContain('[file-permissions]');
  await press('Repair');
  await expect.poll(said).toContain('1 thing was repaired.');
  expect((await laptop.run(['/usr/bin/stat', '-c', '%a', '/etc/step/certs/acme.key'])).stdout.trim()).toBe('600');
});

test('the certificate is renewed by a button', async () => {
  await press('Renew the certificate');
  await expect
    .poll(async () => (await room.cli('root', ['status', '--json'])).result)
    .toMatchObject({ certificate: { number: 2 } });
  await on(/^(All is well|Something needs attention)/u);
});

test('a report is shown before it is saved or sent, and neither happens by itself', async () => {
  const sent = async (): Promise<number> =>
    (
      JSON.parse((await world.operator(['bundle', 'list', '--dir', world.sliceDir, '--json'])).stdout) as {
        list: unknown[];
      }
    ).list.length;
  await press('Report for your operator');
  await window.page.getByText('enrollment.json').waitFor();
  await window.page.getByText('enrollment.json').click();
  const shown = await window.page.locator('pre:visible').first().textContent();
  expect(Object.keys(JSON.parse(shown ?? '') as object)).not.toEqual([]);
  await press('Back');
  await on(/^(All is well|Something needs attention)/u);
  expect(await sent()).toBe(0);

  // The system's own dialog is the system's: what is tested is what becomes of its answer.
  await window.app.evaluate(({ dialog }) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath: '/tmp/report.json' });
  });
  await press('Report for your operator');
  await press('Save it as a file');
  await expect.poll(said).toContain('The report was saved: /tmp/report.json');
  const file = '/tmp/report.json';
  expect((await laptop.run(['/usr/bin/stat', '-c', '%a %u', file])).stdout.trim()).toBe('600 2000');
  expect(await readFile(laptop.path(file), 'utf8')).toContain('kiwistack-support/1');
  expect(await sent()).toBe(0);

  await press('Report for your operator');
  await press('Send it to Acme GmbH');
  await expect.poll(said).toContain('The report was sent to Acme GmbH.');
  expect(await sent()).toBe(1);
});

test('leaving asks first, and then removes everything', async () => {
  await press(/^Leave Acme GmbH/u);
  await press('Stay');
  await press(/^Leave Acme GmbH/u);
  await press('Leave and remove everything');
  await on(/^This laptop has left/u);
  expect(await said()).toContain('Your organisation knows.');
  await expectNothingLeft();
  await press('Set it up again');
  await on(/^Set up this laptop for work/u);
});

test('of two keys the person chooses; then PIN, touch, done, with the keyboard alone and in German', async () => {
  await window.app.close();
  window = await desktop.open('de');
  await on(/^Diesen Laptop für die Arbeit einrichten/u);
  const { keyboard } = window.page;
  const focus = (): Promise<string | null> => window.page.evaluate(`document.activeElement.textContent`);
  const tabTo = async (text: string): Promise<void> => {
    for (let tries = 0; tries < 10 && !((await focus()) ?? '').includes(text); tries += 1) await keyboard.press('Tab');
    expect(await focus()).toContain(text);
  };
  await reader.control.insert(world.keyFile(SERIAL));
  await reader.control.insert(world.keyFile(OTHER));
  await tabTo('Diesen Laptop einrichten');
  await keyboard.press('Enter');
  await on(/^Welcher YubiKey ist Ihrer/u);
  await tabTo(String(OTHER));
  await keyboard.press('Space');
  await on(/^Geben Sie die PIN/u);
  expect(await said()).toContain(String(OTHER));
  await keyboard.press('Tab');
  await keyboard.type(PIN);
  await keyboard.press('Enter');
  await on(/^Berühren Sie Ihren YubiKey/u);
  expect(await window.page.getByRole('status').textContent()).toContain('Sein Licht blinkt');
  await reader.control.untilBlinking();
  await reader.control.touch();
  await on(/^Dieser Laptop ist bereit/u);
  expect(room.log()).not.toContain(PIN);
});

test('who may not is told so, in their language', async () => {
  const bob = await Desktop.start(laptop, 'bob', dir);
  const other = await bob.open('fr');
  await other.page.getByRole('button', { name: 'Renouveler le certificat maintenant' }).click();
  await expect.poll(() => other.page.textContent('main')).toContain('Vous n’avez pas le droit');
  await other.app.close();
});
