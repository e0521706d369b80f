import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { Machine } from './machine.ts';

const KEPT = path.join(import.meta.dirname, '..', '..', '.cache', 'machine-consoles');

/**
 * A folder for the machines of a suite, with one subfolder per machine; call it before the suite's own hooks. After the
 * suite, the machines are switched off and the folder is removed. When something failed, the console output is kept,
 * and its path is printed.
 *
 * @param story its tests build on one another: what comes after one that failed is left out, which is said
 */
export function useSuiteFolder(suite: string, { story = false } = {}): { readonly path: string } {
  const folder = { path: '' };
  let passed = 0;
  let failed = 0;
  beforeEach(({ skip }) => {
    if (story && failed > 0) skip('it builds on what failed before it');
  });
  beforeAll(async () => {
    folder.path = await mkdtemp(path.join(tmpdir(), 'kiwistack-machine-'));
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') failed++;
    else passed++;
  });
  afterAll(async () => {
    for (const machine of Machine.running) await machine.powerCut();
    if (failed > 0 || passed === 0) await keepConsoles(folder.path, path.join(KEPT, suite));
    await rm(folder.path, { recursive: true, force: true });
  });
  return folder;
}

async function keepConsoles(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    await mkdir(path.join(to, entry.name), { recursive: true });
    for (const file of ['console.log', 'qemu.log']) {
      await copyFile(path.join(from, entry.name, file), path.join(to, entry.name, file)).catch(() => undefined);
    }
  }
  process.stderr.write(`machine: the consoles are kept in ${to}\n`);
}
