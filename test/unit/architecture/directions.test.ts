import { describe, expect, test } from 'vitest';

import { directionFaults } from './directions.ts';
import { readSyntax } from './read-syntax.ts';
import { allFiles, hasImports, isProduction } from './source-files.ts';

const production = allFiles.filter((file) => isProduction(file.path));

describe('the direction of imports', () => {
  test('is the table’s in all of src, platform and native', () => {
    const layered = production.filter((file) => !file.path.startsWith('installers/'));
    expect(layered.length).toBeGreaterThan(100);
    expect(directionFaults(layered)).toEqual([]);
  });

  test('never leads from production to test', () => {
    const imports = production.filter((file) => hasImports(file.path)).flatMap((file) => readSyntax(file).imports);
    expect(imports.filter((found) => found.own && found.target.startsWith('test/'))).toEqual([]);
  });

  test.each([
    ['core imports nothing', 'src/core/x.ts', `import { a } from '../protocol/a.ts';`],
    ['a domain folder imports no platform', 'src/tunnel/x.ts', `import { a } from '../../platform/linux/a.ts';`],
    ['a domain folder imports no other one', 'src/tunnel/x.ts', `import type { A } from '../token/token.ts';`],
    ['the plan imports no platform', 'src/enrollment/x.ts', `import { a } from '../../platform/select.ts';`],
    ['the slice imports no client code', 'src/slice/a/x.ts', `import { a } from '../../attestation/a.ts';`],
    ['the slice imports no token', 'src/slice/x.ts', `export { a } from '../token/a.ts';`],
    ['an entry point takes the platform from one file', 'src/cli/x.ts', `import '../../platform/linux/index.ts';`],
    ['production imports no test', 'platform/linux/x.ts', `import { a } from '../../test/a.ts';`],
    ['an import over several lines', 'src/pki/x.ts', `import {\n  a,\n  b,\n} from\n  '../token/a.ts';`],
    ['a dynamic import', 'src/pki/x.ts', `const a = await import('../token/a.ts');`],
    ['a type import in an expression', 'src/pki/x.ts', `let a: import('../token/a.ts').A;`],
    ['a folder without a row', 'src/helpers/x.ts', ''],
  ])('is enforced: %s', (_rule, path, text) => {
    expect(directionFaults([{ path, text }])).toHaveLength(1);
  });

  test('does not take a comment or a string for an import', () => {
    const text = `// import { a } from '../token/a.ts';\nconst b = "import { a } from '../token/a.ts'";`;
    expect(directionFaults([{ path: 'src/core/x.ts', text }])).toEqual([]);
  });
});
