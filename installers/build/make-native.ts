import { existsSync } from 'node:fs';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { runChecked } from '../../src/programs/run-program.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
/** For a C++ library that Zig compiles the first time, beside other work. */
const PATIENCE_MS = 1_800_000;

/** Runs `make` in a folder of `native`. @param settings `NAME=VALUE` */
export async function makeNative(folder: string, ...settings: readonly string[]): Promise<void> {
  const args = ['-s', '-C', path.join(PROJECT, 'native', folder), ...settings];
  await runChecked({ program: '/usr/bin/make', args, timeoutMs: PATIENCE_MS });
}

/** The headers that come with the Node that runs this, or with the one in node_modules. @throws KiwiError `file-unusable` */
export function nodeHeaders(): string {
  const folders = [
    path.join(path.dirname(process.execPath), '../include/node'),
    path.join(PROJECT, `node_modules/node/node_modules/node-linux-${process.arch}/include/node`),
    path.join(PROJECT, `node_modules/node-linux-${process.arch}/include/node`),
  ];
  const found = folders.find((folder) => existsSync(path.join(folder, 'node_api.h')));
  if (found === undefined) throw new KiwiError('file-unusable', { detail: `no node_api.h in ${folders.join(', ')}` });
  return found;
}
