import { posix } from 'node:path';

import type { SourceFile } from './source-files.ts';

/** A short title, what the folder is for, where to begin: nobody reads more before he has looked. */
const OPENING = /^# .+\n\n(?<purpose>[^#`|\n].{20,}|`.{20,})/;

const BEGIN = /\bBegin at `(?<file>[\w./-]+)`/;

/** Folders whose README.md does not say in its first lines what they are for and where to begin reading. */
export function withoutIntroduction(folders: readonly string[], files: readonly SourceFile[]): readonly string[] {
  return folders.flatMap((folder) => {
    const text = files.find((file) => file.path === `${folder}/README.md`)?.text;
    if (text === undefined) return [`${folder} has no README.md`];
    if (!OPENING.test(text)) return [`${folder}/README.md does not begin with what the folder is for`];
    const begin = BEGIN.exec(text)?.groups?.['file'];
    if (begin === undefined) return [`${folder}/README.md does not say where to begin`];
    const target = posix.join(folder, begin);
    return files.some((file) => file.path === target) ? [] : [`${folder}/README.md begins at ${begin}`];
  });
}

/** The folders that a reader opens first: of the table of directions, and the first two levels of the project. */
export function foldersToIntroduce(rows: readonly string[], files: readonly SourceFile[]): readonly string[] {
  const found = new Set(rows.filter((row) => !row.endsWith('.ts')));
  for (const { path } of files) {
    const [top, second, ...rest] = path.split('/');
    if (top === undefined || !/^(src|platform|native|installers|test)$/.test(top)) continue;
    found.add(top);
    if (second !== undefined && rest.length > 0) found.add(`${top}/${second}`);
  }
  return [...found];
}
