import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

const PROJECT = path.resolve(import.meta.dirname, '../../..');

function run(script: string, ...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const argv = [path.join(PROJECT, script), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

describe.each([
  ['npm run build:deb', 'installers/linux/build-deb.ts'],
  ['npm run build', 'installers/build/bundle.ts'],
  ['npm run demo', 'test/demo/main.ts'],
  ['npm run lab', 'test/lab/main.ts'],
  ['npm run bench', 'test/bench/main.ts'],
  ['npm run machine', 'test/machine/main.ts'],
  ['npm run image', 'installers/image/main.ts'],
])('%s', (name, script) => {
  it('refuses an unknown option as the programs do', () => {
    expect(run(script, '--fly')).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: The command line is not valid. [usage]\ndetails: Unknown option '--fly'\nhint: Run \`${name} -- --help\` to see options and examples.\n`,
    });
  });

  it('has help', () => {
    const { code, stdout, stderr } = run(script, '--help');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^usage: ${name}\\b`));
  });
});

it('a script reports a wrong option in the result of --json', () => {
  const { code, stdout, stderr } = run('test/demo/main.ts', '--json', '--fly');
  expect([code, stderr]).toEqual([2, '']);
  expect(JSON.parse(stdout)).toMatchObject({ type: 'result', result: 'error', error: { code: 'usage' } });
});

const namesOf = (option: string): string =>
  `${option} must be one of kiwistack-enroll, kiwistack-operator, kiwistack-slice, kiwistack-msp`;

describe('a value that an option does not take is named', () => {
  it.each([
    ['installers/linux/build-deb.ts', ['--kind', 'x'], 'usage', '--kind must be production or test'],
    ['installers/linux/build-deb.ts', ['--version', 'x'], 'usage', '--version: not a version: x'],
    ['installers/linux/build-deb.ts', ['--package', 'x'], 'usage', namesOf('--package')],
    [
      'installers/linux/build-deb.ts',
      ['--package', 'kiwistack-slice', '--msp-roots', 'x'],
      'usage',
      'kiwistack-slice pins nothing: --msp-roots and --release-keys are for laptops',
    ],
    ['installers/build/bundle.ts', ['--product', 'x'], 'usage', namesOf('--product')],
    ['installers/build/bundle.ts', ['--kind', 'x'], 'usage', '--kind must be production or test'],
    [
      'test/bench/main.ts',
      ['--only', 'x'],
      'usage',
      '--only must be one of enrollment, claim, far, reconnect, renewal, gateway',
    ],
    ['test/bench/main.ts', ['--laptops', '0'], 'usage', '--laptops must be 1 to 99'],
    ['test/lab/main.ts', ['fly'], 'usage', 'there is no command fly'],
    ['test/lab/main.ts', [], 'usage', 'no command was given'],
    ['test/machine/main.ts', ['fly'], 'usage', 'there is no command fly'],
    ['installers/image/main.ts', ['fly'], 'usage', 'there is no command fly'],
    ['installers/image/main.ts', ['build'], 'usage', '--out is missing'],
    [
      'installers/image/main.ts',
      ['build', '--out', 'x', '--distribution', 'x'],
      'usage',
      '--distribution must be debian-12 or ubuntu-24.04',
    ],
    [
      'installers/image/main.ts',
      ['build', '--out', 'x', '--include', 'a,-b'],
      'usage',
      '--include: not the name of a package: a',
    ],
    ['installers/image/main.ts', ['personalize', '--image', 'x'], 'usage', 'give --out or --in-place'],
  ])('%s %s', (script, args, code, detail) => {
    expect(run(script, ...args)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(`[${code}]\ndetails: ${detail}\nhint: `) as string,
    });
  });

  it('and so is a file that is not there', () => {
    const out = mkdtempSync(path.join(tmpdir(), 'kiwi-scripts-'));
    const { code, stderr } = run('installers/linux/build-deb.ts', '--out', out, '--msp-roots', '/nowhere.crt');
    rmSync(out, { recursive: true });
    expect([code, stderr.split('\n')[1]]).toEqual([2, 'details: --msp-roots: /nowhere.crt does not exist']);
  });
});

it.each([
  [['--fly'], 'unknown option --fly'],
  [['--for', 'x'], '--for must be demo, test, bench, machine, fresh, window, dist, image, wine or single-sign-on'],
])('npm run prepare-machine -- %s is refused in the same form', (args, detail) => {
  const argv = [path.join(PROJECT, 'installers/prepare-machine.sh'), ...args];
  const { status, stdout, stderr } = spawnSync('/bin/bash', argv, { encoding: 'utf8' });
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(`error: The command line is not valid. [usage]\ndetails: ${detail}\nhint: `);
});
