import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { isMissing, removeDurableFile, writeDurableFile } from '../../../src/core/durable-file.ts';
import { readCappedFile } from '../../../src/core/read-capped-file.ts';

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-core-'));
  file = path.join(folder, 'state.json');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('a durable file', () => {
  it('is written with exactly the requested mode, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      await writeDurableFile(file, 'one', 0o644);
    } finally {
      process.umask(before);
    }
    expect((await stat(file)).mode & 0o777).toBe(0o644);
    expect(await readFile(file, 'utf8')).toBe('one');
  });

  it('replaces content and mode of the one before and leaves nothing beside it', async () => {
    await writeDurableFile(file, 'old and longer', 0o644);
    await writeDurableFile(file, Buffer.from('new'), 0o600);
    expect(await readFile(file, 'utf8')).toBe('new');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['state.json']);
  });

  it('replaces a link instead of writing to where it points', async () => {
    const target = path.join(folder, 'target');
    await writeFile(target, 'untouched');
    await symlink(target, file);
    await writeDurableFile(file, 'new', 0o600);
    expect(await readFile(target, 'utf8')).toBe('untouched');
    expect((await lstat(file)).isSymbolicLink()).toBe(false);
  });

  it('leaves the old content and no temporary file when it cannot be put in place', async () => {
    await expect(writeDurableFile(folder, 'x', 0o600)).rejects.toThrow();
    expect(await readdir(folder)).toEqual([]);
    expect(
      (await readdir(path.dirname(folder))).filter((name) => name.startsWith(`.${path.basename(folder)}`)),
    ).toEqual([]);
  });

  it('fails when its folder is not there', async () => {
    await expect(writeDurableFile(path.join(folder, 'no', 'file'), 'x', 0o600)).rejects.toSatisfy(isMissing);
  });

  it('leaves nothing of a write that was killed, when it is written again or removed', async () => {
    const leftover = path.join(folder, '.state.json.0123456789ab.tmp');
    const foreign = path.join(folder, '.state.json.bak.tmp');
    await writeFile(foreign, 'not ours');
    for (const act of [() => writeDurableFile(file, 'x', 0o600), () => removeDurableFile(file)]) {
      await writeFile(leftover, 'half');
      await act();
      expect((await readdir(folder)).filter((name) => name !== 'state.json')).toEqual([path.basename(foreign)]);
    }
  });

  it('is written whole by several writes at once', async () => {
    const texts = ['a', 'bb', 'ccc', 'dddd'];
    await Promise.all(texts.map((text) => writeDurableFile(file, text, 0o600)));
    expect(texts).toContain(await readFile(file, 'utf8'));
    expect(await readdir(folder)).toEqual(['state.json']);
  });

  it('can be removed twice', async () => {
    await writeDurableFile(file, 'x', 0o600);
    await removeDurableFile(file);
    await removeDurableFile(file);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a capped file', () => {
  it('is read whole up to the cap', async () => {
    await writeFile(file, 'ten bytes!');
    expect((await readCappedFile(file, { maxBytes: 10 })).toString()).toBe('ten bytes!');
    await writeFile(file, '');
    expect(await readCappedFile(file, { maxBytes: 10 })).toHaveLength(0);
  });

  it('is refused above the cap', async () => {
    await writeFile(file, 'eleven byte');
    await expect(readCappedFile(file, { maxBytes: 10 })).rejects.toMatchObject({
      code: 'state-damaged',
      detail: `${file}: larger than 10 bytes`,
    });
  });

  it('is not found behind a link', async () => {
    await writeFile(path.join(folder, 'target'), 'x');
    await symlink(path.join(folder, 'target'), file);
    await expect(readCappedFile(file, { maxBytes: 10 })).rejects.toMatchObject({ code: 'ELOOP' });
  });

  it('is no folder', async () => {
    await expect(readCappedFile(folder, { maxBytes: 10 })).rejects.toMatchObject({ code: 'state-damaged' });
  });

  it('is not a pipe: one without a writer does not block the program', async () => {
    execFileSync('/usr/bin/mkfifo', [file]);
    await expect(readCappedFile(file, { maxBytes: 10 })).rejects.toMatchObject({ code: 'state-damaged' });
  });

  it.each([0o640, 0o604, 0o620, 0o601])('is refused as private with mode %o', async (mode) => {
    await writeFile(file, 'secret');
    await chmod(file, mode);
    await expect(readCappedFile(file, { maxBytes: 10, private: true })).rejects.toMatchObject({
      code: 'state-damaged',
      detail: `${file}: others may read it`,
    });
    expect((await readCappedFile(file, { maxBytes: 10 })).toString()).toBe('secret');
  });

  it('is taken as private with mode 600', async () => {
    await writeFile(file, 'secret', { mode: 0o600 });
    expect((await readCappedFile(file, { maxBytes: 10, private: true })).toString()).toBe('secret');
  });

  it('that is not there is the system’s own error', async () => {
    await expect(readCappedFile(file, { maxBytes: 10 })).rejects.toSatisfy(isMissing);
  });
});
