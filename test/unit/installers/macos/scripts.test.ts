import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { layOutAgent, layOutScripts } from '../../../../installers/macos/lay-out.ts';
import { contentOf } from '../../../../installers/macos/entry.ts';
import { readPlist } from '../../../../platform/macos/plist.ts';

const run = promisify(execFile);
const DAEMONS = 'Library/LaunchDaemons';
const RECORD = 'Library/Application Support/KiwiStack/State/enrollment.json';

/** Another volume than the one that runs: nothing of launchd's is asked. */
let volume: string;
beforeEach(async () => {
  volume = await mkdtemp(path.join(tmpdir(), 'kiwi-volume-'));
});
afterEach(() => rm(volume, { recursive: true, force: true }));

async function put(name: string, content: string): Promise<void> {
  await mkdir(path.dirname(path.join(volume, name)), { recursive: true });
  await writeFile(path.join(volume, name), content);
}

/** As the installer runs it: package, destination, volume. */
async function script(name: string, version: string): Promise<{ code: number; stderr: string }> {
  const found = (await layOutScripts(version)).find(({ target }) => target === name);
  if (found === undefined) throw new TypeError(name);
  await put(name, (await contentOf(found)).toString());
  return sh([path.join(volume, name), '/package.pkg', volume, volume]);
}

const sh = (args: readonly string[]): Promise<{ code: number; stderr: string }> =>
  run('/bin/sh', ['-p', ...args]).then(
    ({ stderr }) => ({ code: 0, stderr }),
    (error: unknown) => error as { code: number; stderr: string },
  );

describe('before the package is laid out', () => {
  it.each([
    [undefined, '0.1.0', 0],
    ['0.1.0', '0.1.0', 0],
    ['0.1.0', '0.1.1', 0],
    ['0.9.0', '0.10.0', 0],
    ['0.10.0', '0.9.0', 1],
    ['1.0.0', '0.99.99', 1],
    ['0.2.10', '0.2.9', 1],
  ])('%s gives way to %s: %i', async (installed, version, code) => {
    if (installed !== undefined)
      await put('Library/KiwiStack/package.json', JSON.stringify({ name: 'x', version: installed }, undefined, 2));
    const answer = await script('preinstall', version);
    expect(answer.code).toBe(code);
    if (code !== 0)
      expect(answer.stderr).toBe(
        `KiwiStack Enroll ${installed} is installed, which is newer than ${version}. Nothing was changed.\n`,
      );
  });
});

describe('after the package was laid out', () => {
  it('chooses a minute for the hourly check, and changes nothing else', async () => {
    const jobs = (await layOutAgent(path.join(import.meta.dirname))).filter(({ target }) => target.startsWith(DAEMONS));
    for (const job of jobs) await put(job.target, (await contentOf(job)).toString());
    const name = `${DAEMONS}/io.kiwistack.enroll.check.plist`;
    const before = await readFile(path.join(volume, name), 'utf8');
    const minutes = new Set<unknown>();
    for (let count = 0; count < 12; count += 1) {
      expect((await script('postinstall', '0.1.0')).code).toBe(0);
      const text = await readFile(path.join(volume, name), 'utf8');
      const { StartCalendarInterval: when } = readPlist(text) as { StartCalendarInterval: { Minute: number } };
      expect(when.Minute).toBeGreaterThanOrEqual(0);
      expect(when.Minute).toBeLessThan(60);
      minutes.add(when.Minute);
      expect(text.replace(`<integer>${when.Minute}<`, '<integer>0<')).toBe(before);
    }
    expect(minutes.size).toBeGreaterThan(1);
    expect((await readdir(path.join(volume, DAEMONS))).length).toBe(3);
    expect((await stat(path.join(volume, name))).mode & 0o777).toBe(0o644);
  });
});

describe('removing the package', () => {
  const REMOVE = path.join(import.meta.dirname, '../../../../installers/macos/remove.sh');
  const OURS = [
    'Library/KiwiStack/bin/node',
    `${DAEMONS}/io.kiwistack.enroll.agent.plist`,
    'private/etc/paths.d/kiwistack',
    'Applications/KiwiStack Enroll.app/Contents/Info.plist',
    'Library/Logs/KiwiStack/agent.log',
    'Library/Application Support/KiwiStack/State/journal.jsonl',
  ];
  const THEIRS = [`${DAEMONS}/com.fleetdm.orbit.plist`, 'private/etc/paths.d/other', 'Applications/Other.app/x'];

  it('leaves nothing of ours, and everything of others', async () => {
    for (const name of [...OURS, ...THEIRS]) await put(name, 'x');
    expect((await sh([REMOVE, volume])).code).toBe(0);
    const left = (await readdir(volume, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(left.map((entry) => path.relative(volume, path.join(entry.parentPath, entry.name))).sort()).toEqual(
      THEIRS.toSorted(),
    );
  });

  it('is refused while this laptop is enrolled', async () => {
    for (const name of [...OURS, RECORD]) await put(name, 'x');
    const { code, stderr } = await sh([REMOVE, volume]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('sudo kiwistack-enroll uninstall')]);
    for (const name of OURS) expect((await stat(path.join(volume, name))).isFile()).toBe(true);
  });
});
