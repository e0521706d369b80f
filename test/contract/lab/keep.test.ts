import { execFile, type ExecFileException } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

const execute = promisify(execFile);
const labFolder = join(import.meta.dirname, '..', '..', 'lab');
let dir: string;

const ERROR = 'error: The command line is not valid. [usage]';
const usage = (detail: string): string =>
  `2 ${ERROR}\ndetails: ${detail}\nhint: Run \`npm run lab -- help\` to see commands and examples.`;

/** `npm run lab -- ARGS…` as one text: exit code, then what it printed. */
async function command(...args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await execute(process.execPath, [join(labFolder, 'main.ts'), ...args]);
    return `0 ${stdout}${stderr}`.trim();
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as ExecFileException;
    return `${code ?? 'none'} ${stdout}${stderr}`.trim();
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lab-keep-'));
  const program = `
    import { Lab } from ${JSON.stringify(join(labFolder, 'lab.ts'))};
    const lab = await Lab.create({ dir: ${JSON.stringify(dir)} });
    await lab.addLaptop({ name: 'ada' });
    await lab.keep();`;
  await execute(process.execPath, ['--input-type=module', '-e', program], { timeout: 120_000 });
});
afterAll(async () => {
  await command('down', '--dir', dir);
  await rm(dir, { recursive: true, force: true });
});

test('a kept lab outlives its maker, can be entered by a command, and is ended by one', async () => {
  expect(await command('list', '--dir', dir)).toBe(
    `0 ${dir}\n  slice        203.0.113.10\n  inside       10.77.1.20\n  ada          198.51.100.2`,
  );
  expect(await command('list')).toContain(dir);
  expect(await command('run', 'ada', '--dir', dir, '--', 'hostname')).toBe('0 ada');
  expect(
    await command('run', 'ada', '--dir', dir, '--', 'sh', '-c', 'ping -c1 -W2 203.0.113.10 >/dev/null; exit 9'),
  ).toBe('9');
  expect(await command('run', 'bob', '--dir', dir, '--', 'hostname')).toBe(
    usage('there is no room bob; there are: slice, inside, ada'),
  );
  expect(await command('down', '--dir', dir)).toBe(
    `0 Stopped. The folder ${dir} is left to look at; remove it with: rm -r ${dir}`,
  );
  expect(await command('list')).not.toContain(dir);
  expect(await command('run', 'ada', '--dir', dir, '--', 'hostname')).toBe(
    `2 ${ERROR}\ndetails: no lab is running in ${dir}\nhint: Start one with \`npm run demo -- --keep\`.`,
  );
  expect((await execute('/bin/ps', ['axww', '-o', 'args'])).stdout).not.toContain(dir);
});

test('a wrong command is named', async () => {
  expect(await command('fly')).toBe(usage('there is no command fly'));
  expect(await command('--help')).toMatch(/^0 usage: npm run lab/u);
});
