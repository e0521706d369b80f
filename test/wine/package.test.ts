import { access, appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { installedProducts } from '../../platform/windows/fleet-agent.ts';
import { AGENT_PIPE } from '../../platform/windows/dial-agent.ts';
import { WindowsInspector } from '../../platform/windows/inspector.ts';
import { UPGRADE_CODES } from '../../platform/windows/paths.ts';
import { serviceOf } from '../../platform/windows/services.ts';
import type { WindowsSystem } from '../../platform/windows/system.ts';
import { makePackage } from './make-package.ts';
import { Wine } from './wine.ts';

/** What msiexec ends with, as far as Unix hands it on: the lowest byte of ERROR_INSTALL_FAILURE, 1603. */
const REFUSED = 1603 & 0xff;
const SHORTCUT = 'KiwiStack Enroll.lnk';

let wine: Wine;
let folder: string;
/** With programs of ours that are there whether the package is installed or not. */
let outside: WindowsSystem;
const packages: Record<string, string> = {};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-msi-'));
  for (const version of ['0.1.0', '0.2.0']) packages[version] = await makePackage(folder, version);
  wine = await Wine.make(false);
  outside = { root: wine.root, program: Wine.built, run: wine.run, clock: wine.clock };
});
afterAll(async () => {
  await wine.destroy();
  await rm(folder, { recursive: true, force: true });
});

/** @returns the exit code, and what the installer has to say */
async function msiexec(...words: string[]): Promise<{ code: number; log: string }> {
  const log = path.join(folder, 'log.txt');
  await rm(log, { force: true });
  const args = [...words.map((word) => packages[word] ?? word), '/qn', '/l*v', windowsPath(log)];
  const program = path.join(wine.root, 'windows/system32/msiexec.exe');
  const { code } = await wine.run({ program, args: args.map(windowsPath), timeoutMs: 240_000 });
  return { code, log: await readFile(log, 'latin1').catch(() => '') };
}

/** Drive Z of wine is the root of this machine. */
const windowsPath = (word: string): string => (word.startsWith('/tmp/') ? `Z:${word.replaceAll('/', '\\')}` : word);
const installed = async (): Promise<string[]> =>
  (await installedProducts(outside, UPGRADE_CODES['kiwistack-enroll'])).map(({ version }) => version);
const place = (name: string): string => path.join(wine.program, name);
const state = (name = ''): string => path.join(wine.root, 'ProgramData/KiwiStack/State', name);
const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** Wherever they are on drive C; its links lead out of it. */
async function namesOfOurs(at: string): Promise<string[]> {
  const entries = await readdir(at, { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => [
      ...(/kiwistack/iu.test(entry.name) ? [entry.name] : []),
      ...(entry.isDirectory() ? await namesOfOurs(path.join(at, entry.name)) : []),
    ]),
  );
  return found.flat();
}

async function registry(): Promise<string> {
  const names = ['system.reg', 'user.reg', 'userdef.reg'];
  return (await Promise.all(names.map((name) => readFile(path.join(wine.root, '..', name), 'latin1')))).join('\n');
}

async function pathVariable(): Promise<string> {
  const key = String.raw`HKLM\System\CurrentControlSet\Control\Session Manager\Environment`;
  const program = path.join(wine.root, 'windows/system32/reg.exe');
  const { stdout } = await wine.run({ program, args: ['query', key, '/v', 'PATH'] });
  return stdout.toString('latin1');
}

describe('the package', () => {
  it('is the same bytes for the same files', async () => {
    const again = await makePackage(await mkdtemp(path.join(folder, 'again-')), '0.1.0');
    expect((await readFile(again)).equals(await readFile(packages['0.1.0'] ?? ''))).toBe(true);
  });

  it('is installed without a word, and works: service, command, PATH, menu', async () => {
    expect((await msiexec('/i', '0.1.0')).code).toBe(0);
    expect(await installed()).toEqual(['0.1.0']);
    expect(await serviceOf(outside, 'kiwistack-agent')).toMatchObject({ state: 4, start: 2 });
    expect(await pathVariable()).toContain(String.raw`C:\Program Files\KiwiStack Enroll\bin`);
    const command = { program: place('bin/kiwistack-enroll.exe'), timeoutMs: 120_000 };
    expect((await wine.run({ ...command, args: ['--version'] })).stdout.toString()).toBe('0.1.0\n');
    const status = await wine.run({ ...command, args: ['status', '--json'] });
    expect([status.code, JSON.parse(status.stdout.toString())]).toMatchObject([3, { result: 'not-enrolled' }]);
    const answer = await wine.helper(['connect', AGENT_PIPE], Buffer.from('{"api":1,"verb":"status"}\n'));
    expect(JSON.parse(answer.stdout.toString())).toEqual({ type: 'reply', reply: { farewells: [], found: [] } });
    expect((await namesOfOurs(wine.root)).filter((name) => name === SHORTCUT)).toHaveLength(1);
  });

  it('is what doctor takes for ours, and finds altered when it is', async () => {
    const inspector = new WindowsInspector(wine);
    expect(await inspector.package('kiwistack-enroll')).toEqual({ version: '0.1.0', altered: [] });
    await appendFile(place('bin/kiwistack-enroll.exe'), 'x');
    expect(await inspector.package('kiwistack-enroll')).toEqual({
      version: '0.1.0',
      altered: [place('bin/kiwistack-enroll.exe')],
    });
  });

  it('hands the command its arguments as they are, and nothing that changes what runs', async () => {
    const command = { program: place('bin/kiwistack-enroll.exe'), timeoutMs: 120_000 };
    const odd = await wine.run({ ...command, args: ['status', 'a "b" c\\', '--x=ü y'] });
    expect(odd.stderr.toString()).toContain('[usage]');
    expect(odd.code).toBe(2);
    const env = { NODE_OPTIONS: '--require=C:\\evil.js', NODE_PATH: 'C:\\evil' };
    const clean = await wine.run({ ...command, args: ['--version'], env });
    expect([clean.code, clean.stdout.toString()]).toEqual([0, '0.1.0\n']);
  });

  it('is repaired: what is missing comes back, what was changed is as it was', async () => {
    const manifest = await readFile(place('files.sha256'));
    await rm(place('bin/kiwistack-enroll.exe'));
    await rm(place('window/locales'), { recursive: true });
    await appendFile(place('token-host.js'), 'process.exit(1)');
    expect((await msiexec('/i', '0.1.0', 'REINSTALL=ALL', 'REINSTALLMODE=amus')).code).toBe(0);
    expect(await isThere(place('bin/kiwistack-enroll.exe'))).toBe(true);
    expect(await isThere(place('window/locales/de.pak'))).toBe(true);
    expect(await readFile(place('token-host.js'), 'utf8')).not.toContain('process.exit(1)');
    expect(await readFile(place('files.sha256'))).toEqual(manifest);
  });

  it('is not removed from an enrolled laptop, and says why', async () => {
    await mkdir(state(), { recursive: true });
    await writeFile(state('enrollment.json'), '{}');
    const { code, log } = await msiexec('/x', '0.1.0');
    expect(code).toBe(REFUSED);
    expect(log).toContain('This laptop is enrolled, so KiwiStack Enroll cannot be removed.');
    expect(log).toContain('kiwistack-enroll uninstall');
    expect(await installed()).toEqual(['0.1.0']);
    expect(await serviceOf(outside, 'kiwistack-agent')).toMatchObject({ state: 4 });
    expect(await isThere(place('node.exe'))).toBe(true);
    await rm(state('enrollment.json'));
  });

  it('gives way to a higher version, and never to a lower one', async () => {
    expect((await msiexec('/i', '0.2.0')).code).toBe(0);
    expect(await installed()).toEqual(['0.2.0']);
    expect(await serviceOf(outside, 'kiwistack-agent')).toMatchObject({ state: 4 });
    const { code, log } = await msiexec('/i', '0.1.0');
    expect(code).toBe(REFUSED);
    // Wine writes no message of a launch condition; why it was refused it does.
    expect(log).toMatch(/NEWERFOUND = \{[0-9A-F-]{36}\}/u);
    expect(await installed()).toEqual(['0.2.0']);
  });

  it('leaves an enrollment alone when another version takes its place', async () => {
    await mkdir(state(), { recursive: true });
    await writeFile(state('enrollment.json'), '{}');
    // As the installer of the other version asks for it. Wine's leaves the property out.
    const other = 'UPGRADINGPRODUCTCODE={00000000-0000-0000-0000-000000000001}';
    expect((await msiexec('/x', '0.2.0', other)).code).toBe(0);
    expect(await installed()).toEqual([]);
    expect(await readFile(state('enrollment.json'), 'utf8')).toBe('{}');
    await rm(state('enrollment.json'));
    expect((await msiexec('/i', '0.2.0')).code).toBe(0);
  });

  it('leaves nothing when it is removed', async () => {
    await mkdir(state('deep/er'), { recursive: true });
    await writeFile(state('deep/er/file'), 'x');
    expect((await msiexec('/x', '0.2.0')).code).toBe(0);
    expect(await installed()).toEqual([]);
    expect(await serviceOf(outside, 'kiwistack-agent')).toBeUndefined();
    expect(await isThere(wine.program)).toBe(false);
    expect(await isThere(path.dirname(state()))).toBe(false);
    expect(await pathVariable()).not.toContain('KiwiStack');
    expect(await namesOfOurs(wine.root)).toEqual([]);
  });

  it('can be installed without the window, and leaves nothing either', async () => {
    expect((await msiexec('/i', '0.1.0', 'ADDLOCAL=Agent')).code).toBe(0);
    expect(await serviceOf(outside, 'kiwistack-agent')).toMatchObject({ state: 4 });
    expect(await isThere(place('window'))).toBe(false);
    expect(await namesOfOurs(wine.root)).not.toContain(SHORTCUT);
    expect((await msiexec('/x', '0.1.0')).code).toBe(0);
    expect(await namesOfOurs(wine.root)).toEqual([]);
    await wine.stop();
    // What wine keeps of a person's menu is no entry of ours.
    expect((await registry()).match(/^.*kiwistack.*$/gimu)).toBeNull();
  });
});
