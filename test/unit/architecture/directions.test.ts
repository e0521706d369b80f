import { describe, expect, test } from 'vitest';

import { circlesIn, directionFaults, fileEdges, folderEdges, upwardRows } from './check-directions.ts';
import { DIRECTIONS } from './directions.js';
import { readSyntax } from './read-syntax.ts';
import { allFiles, hasImports, isProduction } from './source-files.ts';

const production = allFiles.filter((file) => isProduction(file.path));
const tests = allFiles.filter((file) => file.path.startsWith('test/'));

describe('the direction of imports', () => {
  test('is the table’s in all of src, platform, native and installers', () => {
    expect(production.length).toBeGreaterThan(100);
    expect(directionFaults(production)).toEqual([]);
  });

  test('goes down the table: a row names only rows above it', () => {
    expect(upwardRows(DIRECTIONS)).toEqual([]);
    expect(upwardRows({ 'src/a': ['src/b'], 'src/b': [] })).toEqual(['src/a names src/b']);
    expect(upwardRows({ 'src/a': [], 'src/b': ['src/a', 'src/a/x.ts'] })).toEqual([]);
  });

  test('has a folder for every row', () => {
    const rows = Object.keys(DIRECTIONS);
    expect(rows.filter((row) => !allFiles.some(({ path }) => path === row || path.startsWith(`${row}/`)))).toEqual([]);
  });

  test('never leads from production to test', () => {
    const imports = production.filter((file) => hasImports(file.path)).flatMap((file) => readSyntax(file).imports);
    expect(imports.filter((found) => found.own && found.target.startsWith('test/'))).toEqual([]);
  });

  test('runs in no circle of files, in production and tests', () => {
    expect(circlesIn(fileEdges([...production, ...tests]))).toEqual([]);
    const made = [
      { path: 'src/core/a.ts', text: `import { b } from './b.ts';` },
      { path: 'src/core/b.ts', text: `import { c } from './c.ts';` },
      { path: 'src/core/c.ts', text: `import type { A } from './a.ts';` },
    ];
    expect(circlesIn(fileEdges(made))).toEqual(['src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts']);
    expect(circlesIn(fileEdges(made.slice(0, 2)))).toEqual([]);
  });

  test('runs in no circle of folders', () => {
    expect(circlesIn(folderEdges(production))).toEqual([]);
    const made = [
      { path: 'src/slice/ca/a.ts', text: `import { b } from '../run/b.ts';` },
      { path: 'src/slice/run/c.ts', text: `import { d } from '../ca/d.ts';` },
    ];
    expect(circlesIn(folderEdges(made))).toEqual(['src/slice/ca → src/slice/run → src/slice/ca']);
  });

  test.each([
    ['core imports nothing', 'src/core/x.ts', `import { a } from '../protocol/a.ts';`],
    ['a domain imports no platform', 'src/laptop/tunnel/x.ts', `import { a } from '../../../platform/linux/a.ts';`],
    ['a domain imports no other one', 'src/laptop/tunnel/x.ts', `import type { A } from '../fingerprint/a.ts';`],
    ['a domain imports no token', 'src/laptop/tunnel/x.ts', `import type { A } from '../../token/token.ts';`],
    ['a plan imports no platform', 'src/laptop/enrollment/x.ts', `import { a } from '../../../platform/select.ts';`],
    ['an operating system knows no plan', 'platform/linux/x.ts', `import { a } from '../../src/laptop/state/a.ts';`],
    ['the slice imports no laptop', 'src/slice/device/x.ts', `import { a } from '../../laptop/exchange/a.ts';`],
    ['the laptop imports no slice', 'src/laptop/exchange/x.ts', `import { a } from '../../slice/decisions/a.ts';`],
    ['the slice imports no token', 'src/slice/run/x.ts', `export { a } from '../../token/a.ts';`],
    ['a room sees the registry’s port only', 'src/slice/device/x.ts', `import { a } from '../registry/sqlite/a.ts';`],
    ['a decision knows no registry', 'src/slice/decisions/x.ts', `import { a } from '../registry/registry.ts';`],
    [
      'a program takes the platform from one file',
      'src/apps/enroll/x.ts',
      `import '../../../platform/linux/index.ts';`,
    ],
    ['the operator has one door', 'src/apps/operator/x.ts', `import { a } from '../../slice/operator/find-device.ts';`],
    ['production imports no test', 'platform/linux/x.ts', `import { a } from '../../test/a.ts';`],
    ['an import over several lines', 'src/pki/x.ts', `import {\n  a,\n  b,\n} from\n  '../token/a.ts';`],
    ['a dynamic import', 'src/pki/x.ts', `const a = await import('../token/a.ts');`],
    ['a type import in an expression', 'src/pki/x.ts', `let a: import('../token/a.ts').A;`],
    ['a folder without a row', 'src/helpers/x.ts', ''],
    ['a folder of the slice without a row', 'src/slice/helpers/x.ts', ''],
    ['a folder of the laptop without a row', 'src/laptop/helpers/x.ts', ''],
  ])('is enforced: %s', (_rule, path, text) => {
    expect(directionFaults([{ path, text }])).toHaveLength(1);
  });

  test('does not take a comment or a string for an import', () => {
    const text = `// import { a } from '../token/a.ts';\nconst b = "import { a } from '../token/a.ts'";`;
    expect(directionFaults([{ path: 'src/core/x.ts', text }])).toEqual([]);
  });
});
