import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

// keytar, and a real secret service: gnome-keyring on a bus of its own.

const DRIVER = path.join(import.meta.dirname, 'keychain-driver.ts');
const UNLOCKED =
  'printf password | /usr/bin/gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec "$@"';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'kiwi-keychain-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const run = (program: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const env = { HOME: home, XDG_RUNTIME_DIR: home };
    execFile(program, args, { env, timeout: 60_000 }, (_error, stdout, stderr) => resolve({ stdout, stderr }));
  });
const drive = [process.execPath, DRIVER, ''] as const;

test('a sign-in is kept in the keychain, found by another process’ store, and forgotten; no file has its key', async () => {
  const folder = path.join(home, 'store');
  const argv = ['--', '/bin/sh', '-c', UNLOCKED, 'sh', drive[0], drive[1], folder];
  const { stdout, stderr } = await run('/usr/bin/dbus-run-session', ...argv);
  expect(stdout, stderr).not.toBe('');
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ newest: 'https://10.78.0.1:9444', left: [false, true], after: 'sign-in-needed' },
    found: { operator: 'anna', sessionKey: 'the secret of the session' },
  });
  const file = path.join(folder, 'sign-ins.json');
  expect(await readFile(file, 'utf8')).not.toContain('the secret of the session');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('where there is no secret service, the error says what to do', async () => {
  const { stderr } = await run(drive[0], drive[1], path.join(home, 'store'));
  expect(stderr).toContain('keychain-unavailable');
});
