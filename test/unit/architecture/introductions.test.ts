import { describe, expect, test } from 'vitest';

import { DIRECTIONS } from './directions.js';
import { foldersToIntroduce, withoutIntroduction } from './introductions.ts';
import { allFiles } from './source-files.ts';

const folders = foldersToIntroduce(Object.keys(DIRECTIONS), allFiles);
const readme = (text: string): { path: string; text: string }[] => [
  { path: 'src/a/README.md', text },
  { path: 'src/a/b.ts', text: '' },
];

describe('every folder that a reader opens first', () => {
  test('begins with what it is for, and where to begin reading', () => {
    expect(folders).toContain('src/slice/registry/sqlite');
    expect(folders).toContain('test/lab');
    expect(withoutIntroduction(folders, allFiles)).toEqual([]);
  });

  test.each([
    ['nothing', [{ path: 'src/a/b.ts', text: '' }]],
    ['no purpose', readme('# src/a\n\n## Begin at `b.ts`.\n')],
    ['no beginning', readme('# src/a\n\nWhat an a is and what it does.\n')],
    ['a beginning that is not there', readme('# src/a\n\nWhat an a is and what it does.\n\nBegin at `c.ts`.\n')],
  ])('is missed with %s', (_what, files) => {
    expect(withoutIntroduction(['src/a'], files)).toHaveLength(1);
  });

  test('is enough in three sentences', () => {
    expect(withoutIntroduction(['src/a'], readme('# src/a\n\nWhat an a is and does.\n\nBegin at `b.ts`.\n'))).toEqual(
      [],
    );
  });
});
