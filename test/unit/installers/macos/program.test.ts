import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { bundleOptions, URL_OF_BUNDLE } from '../../../../installers/build/bundle-options.ts';

const PROJECT = path.join(import.meta.dirname, '../../../..');
const PROGRAMS = { 'kiwistack-enroll': 'src/apps/enroll/main.ts', 'kiwistack-key': 'src/apps/key-lender/main.ts' };

/** What is in /Library/KiwiStack: the programs as they are built for macOS, and this Node, which calls itself one for macOS. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-mac-program-'));
  for (const [name, entry] of Object.entries(PROGRAMS)) {
    await build({
      ...bundleOptions(PROJECT, 'production', 'node24'),
      entryPoints: [entry],
      outfile: path.join(folder, `${name}.js`),
      banner: { js: `Object.defineProperty(process, 'platform', { value: 'darwin' }); ${URL_OF_BUNDLE}` },
    });
  }
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ type: 'commonjs' }));
  await mkdir(path.join(folder, 'bin'));
  await symlink(process.execPath, path.join(folder, 'bin/node'));
  const launcher = await readFile(path.join(PROJECT, 'installers/macos/launcher.sh'), 'utf8');
  const here = launcher.replace('program=/Library/KiwiStack\n', `program=${folder}\n`);
  expect(here).not.toBe(launcher);
  await writeFile(path.join(folder, 'bin/kiwistack-enroll'), here);
  await chmod(path.join(folder, 'bin/kiwistack-enroll'), 0o755);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { env: { PATH: '/usr/bin:/bin', ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.end();
  });
}

const command = (args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Answer> =>
  run(path.join(folder, 'bin/kiwistack-enroll'), args, env);

describe('the command line as it is built for macOS, on a machine that has nothing of macOS', () => {
  it('says its version and its commands, whatever the caller has set for Node', async () => {
    const { version } = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };
    const hostile = {
      NODE_OPTIONS: '--require /no/such/file',
      NODE_PATH: '/no/such',
      DYLD_INSERT_LIBRARIES: '/no/such',
    };
    expect(await command(['--version'], hostile)).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    const help = await command(['--help']);
    expect([help.code, help.stdout]).toEqual([
      0,
      expect.stringContaining('Usage: kiwistack-enroll [options] [command]'),
    ]);
  });

  it('says that nobody is enrolled, and that there is nothing to remove', async () => {
    expect(await command(['status'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('[not-enrolled]') as string,
    });
    const { stdout } = await command(['status', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'result', result: 'not-enrolled' });
  });

  it('examines macOS, and not Linux', async () => {
    const { stdout } = await command(['doctor', '--json']);
    const last = stdout.trimEnd().split('\n').at(-1) ?? '';
    expect(last).toContain('launchctl (macOS)');
    expect(last).toContain('kiwistack-token-host (KiwiStack’s package)');
    expect(last).not.toContain('systemctl');
  });

  it('enrolls nobody without the provider’s root, and says where it has to be', async () => {
    const { code, stderr } = await command(['enroll']);
    expect([code, stderr]).toEqual([6, expect.stringContaining('/Library/KiwiStack/msp-roots.pem does not exist')]);
  });

  it('that lends a key says what to install for a YubiKey', async () => {
    const { code, stdout, stderr } = await run(path.join(folder, 'bin/node'), [path.join(folder, 'kiwistack-key.js')]);
    expect(code).toBe(6);
    const said = `${stdout}${stderr}`;
    expect(said).toContain('key-module-missing');
    expect(said).toContain('package of Yubico PIV Tool for macOS');
  });
});
