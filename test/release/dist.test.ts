import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PROJECT = path.join(import.meta.dirname, '../..');
const run = promisify(execFile);
const builder = createRequire(path.join(PROJECT, 'node_modules/app-builder-lib/package.json'));
const { listPackage } = builder('@electron/asar') as { listPackage: (file: string, options: object) => string[] };

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-dist-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function dist(args: readonly string[], env: Record<string, string> = {}): Promise<Answer> {
  const argv = [path.join(PROJECT, 'installers/release/main.ts'), ...args];
  const all = { SOURCE_DATE_EPOCH: '1795000000', ...env };
  return run(process.execPath, argv, { env: all, timeout: 800_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as Answer,
  );
}

/** What is in an archive, unpacked. */
async function unpacked(file: string): Promise<string> {
  const place = await mkdtemp(path.join(folder, 'unpacked-'));
  await run('/usr/bin/tar', ['-xf', file, '-C', place]);
  return place;
}

const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

const APP = ['/THIRD-PARTY-LICENSES', '/main.js', '/package.json', '/page', '/page/index.html', '/page/renderer.js'];
const TEXTS = ['de', 'en', 'es', 'fr', 'it'].map((language) => `/page/texts-${language}.js`);
const WHOLE_APP = [...APP, '/page/style.css', ...TEXTS, '/preload.js'];

describe('npm run dist', () => {
  it('makes the packages for Linux: what it prints is so, and the same sources give the same bytes', async () => {
    const [once, again] = [path.join(folder, 'once'), path.join(folder, 'again')];
    const { code, stdout, stderr } = await dist(['linux', '--out', once]);
    expect(code, stderr).toBe(0);
    const names = ['enroll-desktop', 'enroll', 'operator', 'slice'].map((name) => `kiwistack-${name}_0.1.0_amd64.deb`);
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

  it('packs the window for Windows and macOS, with nothing in it but the window', async () => {
    const out = path.join(folder, 'others');
    expect((await dist(['windows', '--out', out])).code).toBe(0);
    expect((await dist(['macos', '--out', out])).code).toBe(0);
    const windows = await unpacked(path.join(out, 'kiwistack-enroll-desktop_0.1.0_windows-x64.tar.gz'));
    const exe = path.join(windows, 'win-unpacked', 'KiwiStack Enroll.exe');
    const image = await readFile(exe);
    expect(image.subarray(0, 2).toString()).toBe('MZ');
    expect(image.includes(Buffer.from('level="asInvoker"')), 'it asks for no rights').toBe(true);
    expect(listPackage(path.join(windows, 'win-unpacked/resources/app.asar'), {}).sort()).toEqual(WHOLE_APP);
    const macos = await unpacked(path.join(out, 'kiwistack-enroll-desktop_0.1.0_macos-arm64.tar.gz'));
    const contents = path.join(macos, 'mac-arm64/KiwiStack Enroll.app/Contents');
    expect(listPackage(path.join(contents, 'Resources/app.asar'), {}).sort()).toEqual(WHOLE_APP);
    const plist = await readFile(path.join(contents, 'Info.plist'), 'utf8');
    expect(plist).toMatch(/<key>CFBundleIdentifier<\/key>\s*<string>io.kiwistack.enroll<\/string>/u);
    expect(plist).toMatch(/<key>LSMinimumSystemVersion<\/key>\s*<string>14.0<\/string>/u);
    expect(plist).toContain('ElectronAsarIntegrity');
  });

  it('says what it cannot make, and makes the rest', async () => {
    const runtimes = path.join(folder, 'runtimes');
    await mkdir(path.join(runtimes, 'darwin-arm64'), { recursive: true });
    const out = path.join(folder, 'rest');
    const { code, stdout } = await dist(['all', '--out', out], { KIWISTACK_ELECTRON: runtimes });
    expect(code).toBe(6);
    expect(stdout.match(/^not made: .*$/gmu)).toEqual([
      'not made: the window for linux',
      'not made: the window for windows',
      'not made: the window for macos',
    ]);
    expect(stdout).toContain(`There is no Electron in ${path.join(runtimes, 'linux-x64')}.`);
    const debs = ['enroll', 'operator', 'slice'].map((name) => `kiwistack-${name}_0.1.0_amd64.deb`);
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
