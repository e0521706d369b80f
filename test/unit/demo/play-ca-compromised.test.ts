import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { playCaCompromised } from '../../demo/play-ca-compromised.ts';
import type { Scene } from '../../demo/scene.ts';

const REPOSITORY = path.join(import.meta.dirname, '..', '..', '..');

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-demo-'));
  await mkdir(path.join(dir, 'private'));
});
afterEach(() => rm(dir, { recursive: true }));

/** Program, noun and verb of each command; one that is typed again with other options is the same step. */
function steps(typed: readonly string[]): string[] {
  const named = typed.flatMap((line) => {
    const words = line
      .replace(/^sudo /u, '')
      .replace(/^npx /u, '')
      .split(' ');
    const [program = '', ...rest] = words;
    if (!/^kiwistack-(?:slice|msp|operator)$/u.test(program)) return [];
    const noun = rest.slice(
      0,
      rest.findIndex((word) => word.startsWith('-')),
    );
    return [[program, ...noun.filter((word) => /^[a-z-]+$/u.test(word)).slice(0, 2)].join(' ')];
  });
  return named.filter((step, n) => step !== named[n - 1]);
}

/** The commands of the run-book's section, in their order. */
async function onThePage(): Promise<string[]> {
  const page = await readFile(path.join(REPOSITORY, 'docs', 'operators.md'), 'utf8');
  const [section = ''] = page.split("\n## The intermediate's key was stolen\n")[1]?.split(/\n#{2,3} /u) ?? [];
  return [...section.matchAll(/```sh\n([^]*?)```/gu)].flatMap(([, block = '']) => block.split('\n'));
}

test('the scenario and the run-book name the same steps, in the same order', async () => {
  const said: string[] = [];
  const world = {
    ...{ dir, sliceDir: path.join(dir, 'slice', 'acme'), keyFile: String, makeKey: () => undefined },
    slice: {
      run: (argv: readonly string[]) => {
        const asked = 'approval 3f0c1e5a-0000-4000-8000-000000000000';
        const stdout = argv.includes('--ask-approval') ? asked : '{"keyDigest":"digest"}';
        return Promise.resolve({ code: 0, stdout, stderr: '' });
      },
    },
    ...{ stopSlice: () => Promise.resolve(), startSlice: () => Promise.resolve() },
    plugIn: () => {
      const nothing = () => Promise.resolve([]);
      const show = () => Promise.resolve({ keys: [] });
      return Promise.resolve({ stop: nothing, control: { show, insert: nothing, pull: nothing, touchMode: nothing } });
    },
  };
  await playCaCompromised({
    ...{ world, serial: 12345678, reader: { stop: () => Promise.resolve() } },
    laptop: { run: () => Promise.resolve({ code: 0, stdout: '', stderr: '' }) },
    say: (text: string) => said.push(...text.split('\n')),
  } as unknown as Scene);
  const typed = steps(said.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2)));
  // Before: the operators are made.
  const [before, ...played] = typed;
  expect(before).toBe('kiwistack-operator operator add');
  expect(played).toEqual(steps(await onThePage()));
  expect(played).toEqual(expect.arrayContaining(['kiwistack-operator intermediate permit', 'kiwistack-slice down']));
});
