import { execFileSync, spawnSync } from 'node:child_process';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { KiwiError } from '../../src/core/errors.ts';
import type { Laptop } from '../lab/lab.ts';
import { buildWindow, Desktop } from '../window/electron/desktop.ts';
import { AgentRoom, PEOPLE } from '../world/agent-room.ts';
import { PIN, World } from '../world/world.ts';

const SERIAL = 12345678;
const PREPARE = path.join(import.meta.dirname, '../../installers/prepare-machine.sh');

/** `npm run demo -- --window`: the window on the screen of whoever runs it, on a laptop of the lab, until it is closed. */
export async function showWindow(say: (line: string) => void, signal: AbortSignal): Promise<void> {
  const display = displayOf(process.env['DISPLAY']);
  const prepared = spawnSync('/bin/bash', [PREPARE, '--for', 'window'], { stdio: 'inherit' });
  if (prepared.status !== 0) {
    throw new KiwiError('tool-missing', { detail: 'what the window needs', hint: 'See what is said above.' });
  }
  buildWindow();
  const dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-demo-'));
  let world: World | undefined;
  try {
    say('Setting up a customer, Acme GmbH, in network namespaces. This machine is not changed.');
    world = await World.create({
      dir,
      signal,
      progress: (what) => {
        say(`  - ${what}`);
      },
    });
    await world.provisionKey(SERIAL);
    const laptop = await world.addLaptop({ name: 'ada', resolved: true });
    const reader = await world.plugIn(laptop, undefined, { mode: 'auto', delayMs: 3000 });
    await AgentRoom.set(world, laptop);
    await lendScreen(laptop, display);
    const desktop = await Desktop.start(laptop, 'ada', dir, `:${display.number}`);
    const window = desktop.spawn();
    say(`
The window of ada's laptop is on your screen. Its YubiKey is a virtual one:
  Enter   plugs it in, and pulls it out again
  PIN     ${PIN}
  touch   comes by itself, three seconds after it is asked for
To end, close the window, or press Ctrl-C. Everything is removed then.`);
    const file = world.keyFile(SERIAL);
    let plugged = false;
    const input = createInterface({ input: process.stdin }).on('line', () => {
      plugged = !plugged;
      const moved: Promise<unknown> = plugged ? reader.control.insert(file) : reader.control.pull();
      void moved.then(
        () => {
          say(plugged ? 'The YubiKey is plugged in.' : 'The YubiKey was pulled out.');
        },
        (error: unknown) => {
          say(String(error));
        },
      );
    });
    await new Promise((resolve) => {
      window.once('exit', resolve);
      signal.addEventListener('abort', resolve);
    });
    input.close();
  } finally {
    await world?.destroy();
    await rm(dir, { recursive: true, force: true });
  }
}

interface Display {
  readonly number: string;
  readonly connect: () => ReturnType<typeof connect>;
}

/** @throws KiwiError when there is no screen, with what to do */
function displayOf(text: string | undefined): Display {
  const [, host = '', number = ''] = /^([a-z0-9.-]*):(\d{1,5})(?:\.\d+)?$/iu.exec(text ?? '') ?? [];
  if (number === '') {
    throw new KiwiError('tool-missing', {
      detail: text === undefined ? 'DISPLAY is not set: there is no screen' : `DISPLAY is ${text}`,
      hint: 'Run it in a terminal on a desktop (X11, or Wayland with Xwayland), or through `ssh -X`. As root there: `sudo -E npm run demo -- --window`.',
    });
  }
  const isHere = host === '' || host === 'unix';
  return {
    number,
    connect: () => (isHere ? connect(`/tmp/.X11-unix/X${number}`) : connect(6000 + Number(number), host)),
  };
}

/** The laptop has files of its own: the screen's socket is carried into it, and who may use it. */
async function lendScreen(laptop: Laptop, display: Display): Promise<void> {
  const folder = laptop.path('/tmp/.X11-unix');
  await mkdir(folder, { recursive: true, mode: 0o777 });
  const server = createServer((inside) => {
    const outside = display.connect();
    const end = (): void => {
      inside.destroy();
      outside.destroy();
    };
    for (const side of [inside, outside]) side.on('error', end).on('close', end);
    inside.pipe(outside).pipe(inside);
  });
  const socket = path.join(folder, `X${display.number}`);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ path: socket, writableAll: true, readableAll: true }, resolve);
  });
  server.unref();

  // The entry of the display, for whatever host name: the laptop's is another one.
  const listed = spawnSync('/usr/bin/xauth', ['nlist', process.env['DISPLAY'] ?? ''], { encoding: 'utf8' });
  const entries = listed.stdout.replace(/^..../gmu, 'ffff');
  if (entries.trim() === '') return;
  const file = path.join(laptop.root, 'home/ada/.Xauthority');
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, '', { mode: 0o600 });
  execFileSync('/usr/bin/xauth', ['-f', file, 'nmerge', '-'], { input: entries });
  await chown(file, PEOPLE.ada, PEOPLE.ada);
}
