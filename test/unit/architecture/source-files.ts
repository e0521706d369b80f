import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of the project. */
export const PROJECT = join(import.meta.dirname, '../../..');

/** A file of the project; made-up ones show that a rule can fail. */
export interface SourceFile {
  /** From the project's folder, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

// What .gitignore leaves out, and git's own folder: a fresh clone has none of it.
const IGNORED = /(^|\/)(node_modules|dist|coverage|\.cache|\.git)$|^native\/[^/]+\/build$|\.log$/;

function listPaths(folder: string): string[] {
  return readdirSync(join(PROJECT, folder), { withFileTypes: true }).flatMap((found) => {
    const path = folder === '' ? found.name : `${folder}/${found.name}`;
    if (IGNORED.test(path)) return [];
    if (found.isDirectory()) return listPaths(path);
    return found.isFile() ? [path] : [];
  });
}

/** Every file of the project, read once. */
export const allFiles: readonly SourceFile[] = listPaths('').map((path) => ({
  path,
  text: readFileSync(join(PROJECT, path), 'utf8'),
}));

/** What is shipped: everything that is neither a test nor documentation. */
export const isProduction = (path: string): boolean => /^(src|platform|native|installers)\//.test(path);

/** Files that are a program of this project, in any of its languages. */
export const isCode = (path: string): boolean => /\.([cm]?[jt]sx?|go|sh|c|cc|h)$/.test(path);

/** TypeScript and JavaScript files: those whose imports are read. */
export const hasImports = (path: string): boolean => /\.[cm]?[jt]sx?$/.test(path);
