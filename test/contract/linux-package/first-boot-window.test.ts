import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { buildDesktopDeb } from '../../../installers/linux/build-desktop-deb.ts';
import { Lab, type Laptop } from '../../lab/lab.ts';

// What the window's package brings for the first start of a laptop from an OEM. What is in Electron's place is no Electron: the unit is not
// started here.
const UNIT = 'kiwistack-first-boot-window.service';
const USER = '_kiwistack-window';
const NAME = 'kiwistack-enroll-desktop';

let dir: string;
let lab: Lab;
let laptop: Laptop;
let deb: string;

/** @returns what a shell in the laptop says */
async function sh(script: string): Promise<string> {
  const { code, stdout, stderr } = await laptop.run(['/bin/sh', '-c', script]);
  if (code !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
  return stdout;
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-first-boot-'));
  const [packed, window] = [path.join(dir, 'packed'), path.join(dir, 'window')];
  for (const folder of [packed, window, path.join(dir, 'out')]) await mkdir(folder);
  for (const name of [NAME, 'chrome_crashpad_handler', 'chrome-sandbox']) {
    await copyFile('/bin/true', path.join(packed, name));
    await chmod(path.join(packed, name), 0o755);
  }
  await writeFile(path.join(window, 'THIRD-PARTY-LICENSES'), 'none\n');
  deb = await buildDesktopDeb({
    ...{ packed, window, work: path.join(dir, 'work'), out: path.join(dir, 'out') },
    ...{ version: '0.1.0', epochSeconds: 1_795_000_000 },
  });
  lab = await Lab.create({ dir });
  laptop = await lab.addLaptop({ name: 'oem' });
  await copyFile(deb, path.join(laptop.root, 'window.deb'));
});
afterAll(async () => {
  await lab.destroy();
  await rm(dir, { recursive: true, force: true });
});

test('its unit is enabled and not started, and its user is nobody who logs in', async () => {
  // Without the agent's package, which is of the same version.
  await sh('dpkg -i --force-depends /window.deb');
  expect(await sh(`systemctl is-enabled ${UNIT}`)).toBe('enabled\n');
  expect((await laptop.run(['/usr/bin/systemctl', 'is-active', UNIT])).stdout).toBe('inactive\n');
  const [, password, uid, , , home, shell] = (await sh(`getent passwd ${USER}`)).trim().split(':');
  expect([password, home, shell]).toEqual(['x', '/run/kiwistack-first-boot-window', '/usr/sbin/nologin']);
  expect(Number(uid)).toBeLessThan(1000);
  expect(await sh(`getent shadow ${USER}`)).toMatch(/^_kiwistack-window:[!*]/u);
  expect(await sh(`id -Gn ${USER}`)).toBe(`${USER}\n`);
});

test('systemd accepts the unit, and the login screen waits for it and does not need it', async () => {
  // The man page is in the package of the agent. cage is suggested only: the unit's condition passes over a laptop without it.
  const stub = 'ln -sf /bin/true /usr/bin/cage';
  const verify = `cd /usr/lib/systemd/system && systemd-analyze verify --man=no ${UNIT} 2>&1`;
  expect(await sh(`${stub} && ${verify}`)).toBe('');
  const unit = await sh(`cat /usr/lib/systemd/system/${UNIT}`);
  expect(unit).toMatch(/^Before=display-manager\.service$/mu);
  expect(unit).toMatch(/^Type=oneshot$/mu);
  expect(unit, 'it is part of no login screen').not.toMatch(/^(RequiredBy|Requires|OnFailure|Restart)=/mu);
  const security = await sh(`systemd-analyze security --offline=yes ${UNIT}`);
  expect(Number(/Overall exposure level.*: ([\d.]+)/u.exec(security)?.[1])).toBeLessThan(6);
});

test('what an administrator switched off stays off, and purged, it leaves its user alone', async () => {
  await sh(`systemctl disable ${UNIT} && dpkg -i --force-depends /window.deb`);
  expect((await laptop.run(['/usr/bin/systemctl', 'is-enabled', UNIT])).stdout).toBe('disabled\n');
  await sh(`dpkg --purge ${NAME}`);
  const left = `find /etc /usr/lib /var/lib/systemd -name '*first-boot-window*' -o -name '*${NAME}*'`;
  expect(await sh(left)).toBe('');
  expect(await sh(`getent passwd ${USER}`)).toContain(USER);
});
