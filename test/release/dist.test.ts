import { cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { dist, PROJECT, sha256 } from './run-dist.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-dist-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('npm run dist', () => {
  it('makes the packages for Linux: what it prints is so, and the same sources give the same bytes', async () => {
    const [once, again] = [path.join(folder, 'once'), path.join(folder, 'again')];
    const { code, stdout, stderr } = await dist(['linux', '--out', once]);
    expect(code, stderr).toBe(0);
    const names = ['enroll-desktop', 'enroll', 'msp', 'operator', 'slice'].map(
      (name) => `kiwistack-${name}_0.1.0_amd64.deb`,
    );
    expect((await readdir(once)).sort()).toEqual(names);
    for (const name of names) {
      const file = path.join(once, name);
      const { size } = await stat(file);
      expect(stdout).toContain(
        `${file}\n  ${(size / 1e6).toFixed(1)} MB (${size} bytes)\n  SHA-256 ${await sha256(file)}\n`,
      );
    }
    expect(stdout, 'an old Electron is named').toContain('FOR TESTS ONLY: it has Electron 25.1.1');
    expect((await dist(['linux', '--out', again])).code).toBe(0);
    for (const name of names)
      expect(await sha256(path.join(again, name)), name).toBe(await sha256(path.join(once, name)));
  });

  it('says what it cannot make, and makes the rest', async () => {
    const runtimes = path.join(folder, 'runtimes');
    await mkdir(path.join(runtimes, 'darwin-arm64'), { recursive: true });
    const out = path.join(folder, 'rest');
    const { code, stdout } = await dist(['all', '--out', out], { KIWISTACK_ELECTRON: runtimes });
    expect(code).toBe(6);
    expect(stdout.match(/^not made: .*$/gmu)).toEqual([
      'not made: the window for linux',
      'not made: the package for windows',
      'not made: the package for macos',
    ]);
    expect(stdout).toContain(`There is no Electron in ${path.join(runtimes, 'linux-x64')}.`);
    const debs = ['enroll', 'msp', 'operator', 'slice'].map((name) => `kiwistack-${name}_0.1.0_amd64.deb`);
    expect((await readdir(out)).sort()).toEqual(debs);
  });

  it('refuses a folder that is no Electron, and words that it does not know', async () => {
    const runtimes = path.join(folder, 'wrong');
    await cp(path.join(PROJECT, 'package.json'), path.join(runtimes, 'win32-x64/version'));
    const wrong = await dist(['windows', '--out', folder], { KIWISTACK_ELECTRON: runtimes });
    expect(wrong.stderr).toMatch(/\[(file-unusable|state-damaged)\]/u);
    expect(await dist(['beos'])).toMatchObject({ code: 2, stderr: expect.stringContaining('[usage]') as string });
    expect(await dist([])).toMatchObject({ code: 2 });
  });
});
