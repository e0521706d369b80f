import { describe, expect, test } from 'vitest';

import { addressesIn, notPinned, withoutIntegrity, type Manifest } from './packages.ts';
import { readSyntax } from './read-syntax.ts';
import { allFiles, hasImports, isProduction } from './source-files.ts';

const textOf = (path: string): string => allFiles.find((file) => file.path === path)?.text ?? '';
const manifest = JSON.parse(textOf('package.json')) as Manifest;

describe('packages', () => {
  test('are pinned to one version each', () => {
    expect(notPinned(manifest)).toEqual([]);
    expect(notPinned({ dependencies: { zod: '^4.0.0' }, devDependencies: { ajv: 'latest' } })).toHaveLength(2);
  });

  test('come with a hash and without an address in the lock file', () => {
    const lock = textOf('package-lock.json');
    expect(addressesIn(lock)).toEqual([]);
    expect(withoutIntegrity(JSON.parse(lock) as Parameters<typeof withoutIntegrity>[0])).toEqual([]);
    expect(addressesIn('      "resolved": "somewhere/zod.tgz",')).toHaveLength(1);
    expect(withoutIntegrity({ packages: { '': {}, 'node_modules/zod': {} } })).toEqual(['node_modules/zod']);
  });

  test('that production imports are dependencies, not only there for development', () => {
    const imported = allFiles
      .filter((file) => isProduction(file.path) && !file.path.startsWith('installers/build/') && hasImports(file.path))
      .flatMap((file) => readSyntax(file).imports)
      // Electron is what runs the window: it is packed with it, not installed beside it.
      .filter((found) => !found.own && !found.target.startsWith('node:') && found.target !== 'electron');
    // What is optional is loaded when it is used, and its absence is said.
    const there = { ...manifest.dependencies, ...manifest.optionalDependencies };
    const missing = imported.filter((found) => there[found.target] === undefined);
    expect(missing).toEqual([]);
  });

  test('that ship are imported somewhere, or their reason to be there is known', () => {
    // `node` is the runtime for machines with an older one; the next two pin what graphene-pk11 and @noble/curves load;
    const reached = new Set(['node', 'pkcs11js', '@noble/hashes']);
    for (const file of allFiles.filter((one) => isProduction(one.path) && hasImports(one.path))) {
      for (const found of readSyntax(file).imports) reached.add(found.target);
    }
    expect(Object.keys(manifest.dependencies ?? {}).filter((name) => !reached.has(name))).toEqual([]);
  });
});
