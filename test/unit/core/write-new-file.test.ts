import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { writeNewFile } from '../../../src/core/write-new-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-new-'));
});
afterEach(() => rm(folder, { recursive: true }));

const at = (name: string): string => path.join(folder, name);

it('writes a file for its owner alone', async () => {
  await writeNewFile(at('new'), 'text');
  expect(await readFile(at('new'), 'utf8')).toBe('text');
  expect((await stat(at('new'))).mode & 0o777).toBe(0o600);
});

it('says where no file can be made', async () => {
  await writeFile(at('file'), '');
  for (const name of ['nowhere/new', 'file/new']) {
    await expect(writeNewFile(at(name), 'text'), name).rejects.toMatchObject({
      ...{ code: 'file-unusable', detail: `${at(name)} is in a folder that does not exist` },
    });
  }
});

it('leaves what is there as it is: a file, a link to one, a link to nothing', async () => {
  await writeFile(at('file'), 'before');
  await symlink('file', at('link'));
  await symlink('nothing', at('dangling'));
  for (const name of ['file', 'link', 'dangling']) {
    await expect(writeNewFile(at(name), 'text'), name).rejects.toMatchObject({ code: 'file-unusable' });
  }
  expect(await readFile(at('file'), 'utf8')).toBe('before');
  expect(await readdir(folder)).toEqual(['dangling', 'file', 'link']);
});
