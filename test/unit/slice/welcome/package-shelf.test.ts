import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { signCompact } from '../../../../src/pki/jws.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import { PackageShelf } from '../../../../src/slice/welcome/package-shelf.ts';

let dir: string;
let shelf: PackageShelf;
const NAME = 'kiwistack-enroll_0.1.0_amd64.deb';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-shelf-'));
  shelf = new PackageShelf(path.join(dir, 'packages'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function file(name: string, text: string): Promise<string> {
  const at = path.join(dir, name);
  await writeFile(at, text);
  return at;
}
async function textOf(hash: string): Promise<string | undefined> {
  const found = await shelf.open(hash);
  if (found === undefined) return undefined;
  return Buffer.concat((await found.stream.toArray()) as Buffer[]).toString();
}

describe('the shelf of packages', () => {
  it('is empty at first', async () => {
    expect(await shelf.list()).toEqual([]);
    expect(await shelf.open(sha256('x'))).toBeUndefined();
  });

  it('has what was added, under its hash, for its owner alone', async () => {
    const added = await shelf.add(await file(NAME, 'the package'), 0);
    expect(added).toEqual({
      ...{ name: NAME, system: 'linux', size: 11, sha256: sha256('the package') },
      addedAt: '1970-01-01T00:00:00.000Z',
    });
    expect(await shelf.list()).toEqual([added]);
    expect(await textOf(added.sha256)).toBe('the package');
    for (const name of await readdir(path.join(dir, 'packages'))) {
      expect((await stat(path.join(dir, 'packages', name))).mode & 0o077, name).toBe(0);
    }
  });

  it('replaces a package of the same name, and leaves nothing of the old one', async () => {
    const first = await shelf.add(await file(NAME, 'one'), 0);
    await shelf.add(await file('window.msi', 'two'), 0);
    const second = await shelf.add(await file(NAME, 'three'), 0);
    expect((await shelf.list()).map(({ name, system }) => [name, system])).toEqual([
      ['window.msi', 'windows'],
      [NAME, 'linux'],
    ]);
    expect(await textOf(first.sha256)).toBeUndefined();
    expect(await textOf(second.sha256)).toBe('three');
    expect((await readdir(path.join(dir, 'packages'))).length).toBe(3);
  });

  it('keeps a file that another name still has', async () => {
    await shelf.add(await file('a.pkg', 'same'), 0);
    const { sha256: hash } = await shelf.add(await file('b.pkg', 'same'), 0);
    await shelf.remove('a.pkg');
    expect(await textOf(hash)).toBe('same');
    await shelf.remove('b.pkg');
    expect(await textOf(hash)).toBeUndefined();
    await expect(shelf.remove('b.pkg')).rejects.toMatchObject({ code: 'file-unusable' });
  });

  it.each([
    ['another kind of file', 'kiwistack.exe', 'x'],
    ['a name with a blank', 'my package.deb', 'x'],
    ['an empty file', 'empty.deb', ''],
  ])('does not take %s', async (_what, name, text) => {
    await expect(shelf.add(await file(name, text), 0)).rejects.toMatchObject({ code: 'file-unusable' });
    expect(await shelf.list()).toEqual([]);
  });

  it('does not take what is not there, or a folder', async () => {
    await expect(shelf.add(path.join(dir, 'nothing.deb'), 0)).rejects.toMatchObject({ code: 'file-unusable' });
    await symlink(dir, path.join(dir, 'folder.deb'));
    await expect(shelf.add(path.join(dir, 'folder.deb'), 0)).rejects.toMatchObject({ code: 'file-unusable' });
  });

  it('does not hand out a file that is not what the list says', async () => {
    const { sha256: hash } = await shelf.add(await file(NAME, 'the package'), 0);
    const kept = path.join(dir, 'packages', hash);
    await chmod(kept, 0o600);
    await truncate(kept, 3);
    expect(await shelf.open(hash)).toBeUndefined();
  });

  it('says that its list is broken', async () => {
    await shelf.add(await file(NAME, 'x'), 0);
    await writeFile(path.join(dir, 'packages/packages.json'), '{"version":2}');
    await expect(shelf.list()).rejects.toMatchObject({ code: 'slice-damaged' });
  });
});

describe('the update manifest on the shelf', () => {
  const signed = (change: object): Promise<string> => {
    const entry = { name: 'kiwistack-enroll', system: 'linux', architecture: 'x64', file: NAME, size: 11 };
    const payload = {
      ...{
        schema: 1,
        version: '0.2.0',
        issuedAt: '2026-11-27T08:00:00.000Z',
        expiresAt: '2027-01-01T00:00:00.000Z',
        rollout: 10,
      },
      packages: [{ ...entry, sha256: sha256('the package') }],
      ...change,
    };
    return signCompact({ typ: TYP.update, payload: JSON.stringify(payload), signer: keySigner(generateP256()) });
  };

  it('is handed on as it was given, once its packages are there', async () => {
    const jws = await signed({});
    const given = await file('manifest.jws', `${jws}\n`);
    expect(await shelf.manifest()).toBeUndefined();
    await expect(shelf.release(given)).rejects.toMatchObject({
      code: 'file-unusable',
      detail: expect.stringContaining(`names ${NAME}, which is not on the shelf`) as string,
    });
    await shelf.add(await file(NAME, 'the package'), 0);
    expect(await shelf.release(given)).toMatchObject({ version: '0.2.0', rollout: 10 });
    expect(await shelf.manifest()).toBe(jws);
  });

  it.each([
    ['a text', () => Promise.resolve('hello')],
    ['a package', () => Promise.resolve('\x21<arch>')],
    ['one with a field that nobody knows', () => signed({ channel: 'beta' })],
    ['one that is too large', () => Promise.resolve('x'.repeat(20_000))],
  ])('is not %s', async (_, make) => {
    await expect(shelf.release(await file('wrong.jws', await make()))).rejects.toMatchObject({ code: 'file-unusable' });
    expect(await shelf.manifest()).toBeUndefined();
  });
});
