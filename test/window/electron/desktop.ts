import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { _electron, errors, type ElectronApplication, type Page } from 'playwright-core';

import type { Laptop } from '../../lab/lab.ts';
import { NamespaceRoom } from '../../lab/namespace-room.ts';
import { as, PEOPLE, type Who } from '../../world/agent-room.ts';

const REPOSITORY = path.join(import.meta.dirname, '..', '..', '..');
const NODE = path.join(REPOSITORY, 'node_modules', '.bin', 'node');
/** The runtime that the tests have: see installers/prepare-electron.sh. */
const RUNTIME = process.env['KIWISTACK_TEST_ELECTRON'] ?? path.join(REPOSITORY, '.cache/electron/electron');
/** The same with the window in it: what is packed for people must not find that there. */
const WITH_WINDOW = path.join(REPOSITORY, '.cache/window');
/** cage and its libraries: see installers/prepare-kiosk.sh. */
const KIOSK = path.join(REPOSITORY, '.cache/kiosk/tree');
const ELECTRON = path.join(WITH_WINDOW, path.basename(RUNTIME));

/** Builds the window into the runtime of the tests, with the key lender of the suite's program or of the sources. @returns the folder */
export function buildWindow(kind: 'test' | 'production' = 'test'): string {
  const built = process.env['KIWISTACK_TEST_PROGRAM'];
  const lender =
    built === undefined ? path.join(REPOSITORY, 'src/apps/key-lender/main.ts') : path.join(built, 'kiwistack-key.js');
  const out = path.join(WITH_WINDOW, 'resources', 'app');
  if (!existsSync(ELECTRON)) execFileSync('/bin/cp', ['-al', path.dirname(RUNTIME), WITH_WINDOW]);
  const args = ['--kind', kind, '--out', out, ...(kind === 'test' ? ['--lender', `${NODE},${lender}`] : [])];
  execFileSync(process.execPath, [path.join(REPOSITORY, 'installers/build/desktop.ts'), ...args]);
  return out;
}

/** A screen on a laptop, and a person who is not root in front of it. */
export class Desktop {
  readonly #launcher: string;

  private constructor(launcher: string) {
    this.#launcher = launcher;
  }

  /**
   * @param dir a folder for the launcher, outside of the laptop
   * @param screen one that there is; without it, one without a monitor is made
   */
  static async start(laptop: Laptop, who: Who, dir: string, screen?: string): Promise<Desktop> {
    if (!(laptop instanceof NamespaceRoom)) throw new TypeError('a laptop of the lab');
    const display = screen ?? (await screenWithoutMonitor(laptop, who));
    return new Desktop(await writeLauncher(laptop, who, dir, [`DISPLAY=${display}`]));
  }

  /**
   * The same as the first start of a laptop has it, where nobody is logged in: cage with one window on the whole screen, which has no monitor
   * either. See installers/prepare-kiosk.sh.
   */
  static async startKiosk(laptop: Laptop, who: Who, dir: string): Promise<Desktop> {
    if (!(laptop instanceof NamespaceRoom)) throw new TypeError('a laptop of the lab');
    const uid = PEOPLE[who];
    const runtime = `/run/user/${uid}`;
    await mkdir(laptop.path(runtime), { recursive: true });
    await chmod(laptop.path(runtime), 0o700);
    await chown(laptop.path(runtime), uid, uid);
    const libraries = `LD_LIBRARY_PATH=${KIOSK}/usr/lib/x86_64-linux-gnu`;
    const headless = [
      `WLR_XWAYLAND=${KIOSK}/usr/bin/Xwayland`,
      'WLR_BACKENDS=headless',
      'WLR_RENDERER=pixman',
      'WLR_LIBINPUT_NO_DEVICES=1',
    ];
    const cage = [`${KIOSK}/usr/bin/cage`, '-s', '--', '/usr/bin/env', '-u', 'LD_LIBRARY_PATH'];
    return new Desktop(
      await writeLauncher(laptop, who, dir, [`XDG_RUNTIME_DIR=${runtime}`, libraries, ...headless], cage),
    );
  }

  /** Runs it as a person would, who drives nothing. */
  spawn(args: readonly string[] = []): ChildProcess {
    return spawn(this.#launcher, ['--disable-gpu', ...args], { env: { PATH: '/usr/bin:/bin', KIWI_LANGUAGE: 'en' } });
  }

  /** Opens the window. Its sandbox is on: nobody is root here. @param language of the person's system */
  async open(language = 'en', args: readonly string[] = []): Promise<OpenWindow> {
    const began = performance.now();
    const launch = (): Promise<ElectronApplication> =>
      _electron.launch({
        executablePath: this.#launcher,
        args: ['--disable-gpu', ...args],
        env: { PATH: '/usr/bin:/bin', KIWI_LANGUAGE: language },
        chromiumSandbox: true,
        timeout: 60_000,
      });
    // On a busy machine Playwright now and then connects to both debuggers of the program and then waits for ever; it has ended it by then.
    const app = await launch().catch((error: unknown) => {
      if (!(error instanceof errors.TimeoutError)) throw error;
      console.log(`Playwright missed the program's start: ${error.message.split('\n')[0] ?? ''}`);
      return launch();
    });
    const page = await app.firstWindow();
    await page.waitForSelector('h1');
    return { app, page, openedAfterMs: performance.now() - began };
  }
}

export interface OpenWindow {
  readonly app: ElectronApplication;
  readonly page: Page;
  readonly openedAfterMs: number;
}

/** @param before comes before the window's program */
async function writeLauncher(
  laptop: Laptop & NamespaceRoom,
  who: Who,
  dir: string,
  environment: readonly string[],
  before: readonly string[] = [],
): Promise<string> {
  const uid = PEOPLE[who];
  const home = path.join(laptop.root, 'home', who);
  await mkdir(home, { recursive: true });
  await chown(home, uid, uid);
  // In the laptop, except for its network: the debugger of this process is on the machine's own.
  const launcher = path.join(dir, `electron-${who}.sh`);
  const variables = [`HOME=/home/${who}`, `USER=${who}`, 'PATH=/usr/bin:/bin', 'LANG=C.UTF-8', ...environment];
  const inside = ['/usr/bin/nsenter', '-t', String(laptop.pid), '-m', '-u', '-i', '-p', '--', ...as(who)];
  const clean = ['/usr/bin/env', '-i', '-C', `/home/${who}`, ...variables, 'LANGUAGE="$KIWI_LANGUAGE"'];
  await writeFile(launcher, `#!/bin/sh\nexec ${[...inside, ...clean, ...before, ELECTRON].join(' ')} "$@"\n`);
  await chmod(launcher, 0o755);
  return launcher;
}

async function screenWithoutMonitor(laptop: Laptop, who: Who): Promise<string> {
  // Other screens of this machine are other numbers: the name of its socket is shared by all that share a network.
  const number = `${1000 + (process.pid % 50_000)}${String(PEOPLE[who] % 10)}`;
  laptop.spawn([...as(who), '/usr/bin/Xvfb', `:${number}`, '-screen', '0', '1100x1000x24', '-nolisten', 'tcp'], {
    stdio: 'ignore',
  });
  const socket = laptop.path(`/tmp/.X11-unix/X${number}`);
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 50));
  return `:${number}`;
}
