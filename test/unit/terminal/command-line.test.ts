import { spawnSync } from 'node:child_process';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import manifest from '../../../package.json' with { type: 'json' };

const APPS = path.resolve(import.meta.dirname, '../../../src/apps');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(app: string, args: readonly string[], env: Record<string, string> = {}): Ended {
  const argv = [path.join(APPS, app, 'main.ts'), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', env });
  return { code: status, stdout, stderr };
}

/** A line that each program does not understand, and how the error begins that says so. */
const WRONG = [
  ['enroll', ['enroll', '--serial', 'x'], "option '--serial <number>' argument 'x' is invalid. Not a whole number."],
  ['slice', ['up', '--json'], "required option '--dir <folder>' not specified"],
  ['operator', ['yubikey', 'brun', '--dir', 'd'], "unknown command 'brun' (Did you mean burn?)"],
] as const;

describe.each(WRONG)(
  'kiwistack-%s, when it does not understand its command line',
  { timeout: 60_000 },
  (app, args, detail) => {
    const command = `kiwistack-${app} ${args[0]}`;
    const hint = `Run \`${command} --help\` to see options and examples.`;
    const given = args.filter((arg) => arg !== '--json');

    it('says so to a person, like any other error', () => {
      expect(run(app, given)).toEqual({
        code: 2,
        stdout: '',
        stderr: `error: The command line is not valid. [usage]\ndetails: ${detail}\nhint: ${hint}\n`,
      });
    });

    it('says so in the result of --json', () => {
      const { code, stdout, stderr } = run(app, [...given, '--json']);
      const message = 'The command line is not valid.';
      expect([code, stderr]).toEqual([2, '']);
      expect(JSON.parse(stdout)).toEqual({
        type: 'result',
        result: 'error',
        error: { code: 'usage', message, hint, retryable: false, detail },
      });
    });
  },
);

describe.each(['enroll', 'slice', 'operator'])('kiwistack-%s', (app) => {
  it('tells its version', () => {
    expect(run(app, ['--version'])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });

  it('shows its help when no command is given', () => {
    const { code, stdout, stderr } = run(app, []);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^Usage: kiwistack-/);
    expect(stderr).toContain('details: no command was given');
  });
});

describe('an error of kiwistack-slice', () => {
  const status = ['status', '--dir', '/nowhere'];

  it('has the form of those of kiwistack-enroll', () => {
    expect(run('slice', status).stderr).toMatch(/^error: .* \[slice-missing\]\ndetails: \/nowhere\nhint: /);
    expect(JSON.parse(run('slice', [...status, '--json']).stdout)).toMatchObject({
      type: 'result',
      result: 'error',
      error: { code: 'slice-missing', retryable: false },
    });
  });

  it('names commands as they can be typed where it was started', () => {
    expect(run('slice', status).stderr).toContain('with `kiwistack-slice init`');
    const byNpx = { npm_command: 'exec' };
    expect(run('slice', status, byNpx).stderr).toContain('with `npx kiwistack-slice init`');
    expect(run('slice', ['up', '--help'], byNpx).stdout).not.toMatch(/sudo kiwistack/);
    expect(run('operator', ['--help'], byNpx).stdout).toContain('sudo npx kiwistack-operator device end');
  });
});

it('a consent is given for at least an hour and at most a year', () => {
  for (const hours of ['0', '9999999999']) {
    const { code, stderr } = run('operator', ['device', 'consent', 'ada', '--dir', 'd', '--hours', hours]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`'--hours <number>' argument '${hours}'`)]);
  }
});

describe('a number of things to list', () => {
  it.each(['0', '-1', '1.5', 'many'])('is not %s', (limit) => {
    const { code, stderr } = run('operator', ['audit', 'list', '--dir', 'd', '--limit', limit]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`option '--limit <number>' argument '${limit}'`)]);
  });
});
