import { basename } from 'node:path';

import { readSyntax } from './read-syntax.ts';
import { hasImports, isCode, type SourceFile } from './source-files.ts';

const MOST_LINES = 400;

/** Code files that are too long to have one reason to change. */
export function tooLong(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => isCode(file.path) || file.text.startsWith('#!'))
    .map((file) => ({ path: file.path, lines: file.text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > MOST_LINES)
    .map(({ path, lines }) => `${path} has ${lines.toString()} lines`);
}

const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config|d))?\.[cm]?[jt]sx?$/;

/** TypeScript and JavaScript files whose names are not kebab-case. */
export function oddlyNamed(files: readonly SourceFile[]): readonly string[] {
  return files
    .map((file) => file.path)
    .filter(hasImports)
    .filter((path) => !KEBAB_CASE.test(basename(path)));
}

// This folder names what it looks for.
const namesThem = (path: string): boolean => path.startsWith('test/unit/architecture/');

const UNFINISHED = /\b(TODO|FIXME|XXX)\b/;
const LEFT_OUT = /^(test|it|describe|suite|bench)\.(only|skip|skipIf|runIf|todo|fails)$/;

/** Tests that would not run, and notes of work left undone. */
export function unfinished(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => isCode(file.path) && !namesThem(file.path))
    .flatMap((file) => [
      ...(UNFINISHED.test(file.text) ? [`${file.path} says that something is undone`] : []),
      ...(hasImports(file.path) ? readSyntax(file).uses : [])
        .filter(({ name }) => LEFT_OUT.test(name))
        .map(({ name, line }) => `${file.path}:${line.toString()} ${name}`),
    ]);
}

// Work folders and homes; not a folder that is only called so inside a longer path.
const MACHINE_PATH = /(?<![\w.}/-])\/(work\/|root\/|home\/\w|Users\/\w)/;
const REGISTRY = new RegExp(
  [
    'registry\\.(npmjs|yarnpkg)|npm\\.pkg\\.github|verdaccio|artifactory|/repository/',
    'pypi\\.(org|python)|files\\.pythonhosted|proxy\\.golang',
    '(deb|ftp|security)\\.debian\\.org|archive\\.ubuntu\\.com',
  ].join('|'),
  'i',
);

/** Lines that name a folder of one machine, or the address of a package registry. */
export function bindingsToOneMachine(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => !namesThem(file.path))
    .flatMap((file) =>
      file.text
        .split('\n')
        .map((line, index) => ({ line, place: `${file.path}:${(index + 1).toString()}` }))
        .filter(({ line }) => MACHINE_PATH.test(line) || REGISTRY.test(line))
        .map(({ line, place }) => `${place} ${line.trim().slice(0, 100)}`),
    );
}
