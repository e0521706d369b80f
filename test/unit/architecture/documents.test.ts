import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { packageNames, type Manifest } from './packages.ts';
import { allFiles, PROJECT, type SourceFile } from './source-files.ts';

const textOf = (path: string): string => allFiles.find((file) => file.path === path)?.text ?? '';
const manifest = JSON.parse(textOf('package.json')) as Manifest;
const documents = allFiles.filter((file) => file.path.endsWith('.md'));

/** Packages with a row in a document's table: `| \`name\` | … |`. */
const rowsOf = (text: string): string[] => [...text.matchAll(/^\| `([^`]+)` +\|/gm)].map((row) => row[1] ?? '');

/** Relative links of a document that lead nowhere. */
function deadLinks({ path, text }: SourceFile): readonly string[] {
  // What is shown as code is no link.
  const prose = text.replace(/^ *```[^]*?^ *```/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
    .map((link) => link[1] ?? '')
    .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(PROJECT, dirname(path), target)))
    .map((target) => `${path} links to ${target}`);
}

/** Files of ours that a document names in its text, and that are not there; a path may be cut short at its beginning. */
function unknownFiles({ path, text }: SourceFile): readonly string[] {
  return [...text.matchAll(/`([\w-]+(?:\/[\w.-]+)+\.(?:ts|js|sh|md))`/g)]
    .map((found) => found[1] ?? '')
    .filter((name) => !allFiles.some((file) => `/${file.path}`.endsWith(`/${name}`)))
    .map((name) => `${path} names ${name}`);
}

/** Scripts that a document tells the reader to run, and that package.json does not have. */
function unknownScripts({ path, text }: SourceFile): readonly string[] {
  return [...text.matchAll(/npm run ([a-z][a-z0-9:-]*)/g)]
    .map((found) => found[1] ?? '')
    .filter((name) => manifest.scripts?.[name] === undefined)
    .map((name) => `${path} says npm run ${name}`);
}

describe('the documents', () => {
  test('give a reason for every package, and for none that is not there', () => {
    const dependencies = textOf('README.md').split('\n## Dependencies\n')[1] ?? '';
    expect(rowsOf(dependencies).toSorted()).toEqual([...packageNames(manifest)].toSorted());
  });

  test('link to files that exist', () => {
    expect(documents.flatMap(deadLinks)).toEqual([]);
    expect(deadLinks({ path: 'docs/a.md', text: '[b](b.md), [c](../README.md#top)' })).toHaveLength(1);
  });

  test('name files that exist', () => {
    expect(documents.filter(({ path }) => path !== 'CHANGELOG.md').flatMap(unknownFiles)).toEqual([]);
    expect(unknownFiles({ path: 'docs/a.md', text: '`src/core/errors.ts`, `core/errors.ts`' })).toEqual([]);
    expect(unknownFiles({ path: 'docs/a.md', text: '`core/no-such-file.ts`' })).toHaveLength(1);
  });

  test('name scripts that exist', () => {
    expect(documents.flatMap(unknownScripts)).toEqual([]);
    expect(unknownScripts({ path: 'a.md', text: 'npm run fly' })).toHaveLength(1);
  });
});
