import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { flushFolder } from '../../../../platform/unix/flush-folder.ts';

const opened = vi.hoisted(() => [] as string[]);
vi.mock('node:fs/promises', async (actual) => {
  const real = await actual<typeof import('node:fs/promises')>();
  return {
    ...real,
    open: async (file: string, ...how: [number]) => {
      const handle = await real.open(file, ...how);
      const sync = handle.sync.bind(handle);
      handle.sync = async () => {
        opened.push(file);
        await sync();
      };
      return handle;
    },
  };
});

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-flush-'));
  opened.length = 0;
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it('has each file and each folder on the disk, and what a link leads to is not touched', async () => {
  await mkdir(path.join(dir, 'osquery.db'));
  await writeFile(path.join(dir, 'osquery.db', 'LOG'), 'x');
  await writeFile(path.join(dir, 'secret-orbit-node-key.txt'), 'x');
  await symlink('/etc/passwd', path.join(dir, 'link'));
  await flushFolder(dir);
  expect(opened.map((file) => path.relative(dir, file)).toSorted()).toEqual([
    '',
    'osquery.db',
    'osquery.db/LOG',
    'secret-orbit-node-key.txt',
  ]);
});

it('has nothing to do where there is no folder', async () => {
  await flushFolder(path.join(dir, 'absent'));
  expect(opened).toEqual([]);
});
