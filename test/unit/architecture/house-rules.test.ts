import { describe, expect, test } from 'vitest';

import { bindingsToOneMachine, oddlyNamed, tooLong, unfinished } from './house-rules.ts';
import { allFiles } from './source-files.ts';

const made = (path: string, text: string): { path: string; text: string }[] => [{ path, text }];

describe('every file of the project', () => {
  test('with code has at most 400 lines', () => {
    expect(tooLong(allFiles)).toEqual([]);
    expect(tooLong(made('src/a.ts', '\n'.repeat(401)))).toEqual(['src/a.ts has 401 lines']);
    expect(tooLong(made('src/a.ts', '\n'.repeat(400)))).toEqual([]);
    expect(tooLong(made('installers/linux/deb/a', `#!/bin/sh\n${'\n'.repeat(400)}`))).toHaveLength(1);
  });

  test('of TypeScript has a kebab-case name', () => {
    expect(oddlyNamed(allFiles)).toEqual([]);
    expect(oddlyNamed(made('src/readFile.ts', ''))).toHaveLength(1);
    expect(oddlyNamed(made('src/read_file.test.ts', ''))).toHaveLength(1);
    expect(oddlyNamed(made('src/read-file.test.ts', ''))).toEqual([]);
  });

  test('is finished, and no test is left out or run alone', () => {
    expect(unfinished(allFiles)).toEqual([]);
    expect(unfinished(made('test/a.test.ts', `test.only('a', () => {});`))).toHaveLength(1);
    expect(unfinished(made('test/a.test.ts', `describe.skip('a', () => {});`))).toHaveLength(1);
    expect(unfinished(made('src/a.ts', '// TODO: later'))).toHaveLength(1);
  });

  test('fits every machine: no folder of one, no address of a registry', () => {
    expect(bindingsToOneMachine(allFiles)).toEqual([]);
    expect(bindingsToOneMachine(made('a.sh', 'cd /work/main'))).toHaveLength(1);
    expect(bindingsToOneMachine(made('a.json', '{"a": "/home/ada/a"}'))).toHaveLength(1);
    expect(bindingsToOneMachine(made('.npmrc', 'registry=https://registry.npmjs.org/'))).toHaveLength(1);
    expect(bindingsToOneMachine(made('a.ts', `import a from '../trust/root/name.ts';`))).toEqual([]);
  });
});
