import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

// Runs the README's commands, as written, on a machine that has only what the README requires. Tests the last commit.

const REPOSITORY = path.join(import.meta.dirname, '..', '..');
const SCRIPT = path.join(import.meta.dirname, 'bare-machine.sh');
/** Without our own node_modules: a newcomer's Node is not ours. */
const PATH = (process.env['PATH'] ?? '')
  .split(':')
  .filter((folder) => !folder.endsWith('node_modules/.bin'))
  .join(':');
const env = { ...process.env, PATH };

let folder: string;
let root: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-fresh-'));
  root = path.join(folder, 'root');
  const base = await provideBase();
  await promisify(execFile)(SCRIPT, ['make', base, root, REPOSITORY], { env });
  const changed = execFileSync('git', ['status', '--porcelain'], { cwd: REPOSITORY, encoding: 'utf8' });
  if (changed !== '') console.log(`fresh: tests the last commit; these changes are not in it:\n${changed}`);
}, 600_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The minimal Debian, rebuilt when the script that builds it has changed. */
async function provideBase(): Promise<string> {
  const name = createHash('sha256')
    .update(await readFile(SCRIPT))
    .digest('hex')
    .slice(0, 16);
  const cache = path.join(REPOSITORY, '.cache', 'fresh');
  const base = path.join(cache, name);
  if (existsSync(base)) return base;
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  const making = `${base}.making`;
  await promisify(execFile)(SCRIPT, ['base', making], { env });
  await rename(making, base);
  return base;
}

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Types a command on the bare machine, in the clone. */
function type(...command: string[]): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn(SCRIPT, ['run', root, ...command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const all = ({ stdout, stderr }: Said): string => `${stdout}\n${stderr}`;
/** What the command prints about its preparation; nothing if there was nothing to prepare. */
const prepared = ({ stderr }: Said): string[] => stderr.split('\n').filter((line) => line.startsWith('prepare:'));

test('npm run demo brings a laptop to green', async () => {
  const said = await type('npm', 'run', '-s', 'demo', '--', '--json');
  expect(said.code, all(said)).toBe(0);
  const lines = said.stdout.trim().split('\n');
  expect(JSON.parse(lines.at(-1) ?? ''), all(said)).toMatchObject({ result: 'green' });
  expect(prepared(said).join('\n')).toMatch(/installing \d+ Debian packages[^]*the machine is ready/u);
});

test('the second run has nothing to prepare', async () => {
  const said = await type('npm', 'run', 'demo');
  expect(said.code, all(said)).toBe(0);
  expect(said.stdout).toContain('is enrolled with Acme GmbH and online in Fleet');
  expect(prepared(said)).toEqual([]);
});

test('npm run prepare-machine also installs what the tests need, once', async () => {
  const first = await type('npm', 'run', '-s', 'prepare-machine');
  expect(first.code, all(first)).toBe(0);
  expect(prepared(first).at(-1)).toMatch(/the machine is ready/u);
  expect(await type('npm', 'run', '-s', 'prepare-machine')).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('npm test -- unit passes', async () => {
  const said = await type('npm', 'test', '--', 'unit');
  expect(said.code, all(said)).toBe(0);
  expect(said.stdout).toMatch(/^\d+ passed, 0 failed$/mu);
  expect(prepared(said)).toEqual([]);
});

test('the contract tests of prepare-machine pass there', async () => {
  const file = 'test/contract/lab/prepare-machine.test.ts';
  const said = await type('npx', 'vitest', 'run', '--project', 'contract', file);
  expect(said.code, all(said)).toBe(0);
});
