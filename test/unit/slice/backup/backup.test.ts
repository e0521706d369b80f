import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { systemClock } from '../../../../src/core/clock.ts';
import { generateP256, publicJwk } from '../../../../src/pki/keys.ts';
import { readRecipient, readRecipientKey } from '../../../../src/pki/recipient-files.ts';
import { copyStepCaDatabase } from '../../../../src/slice/backup/copy-step-ca-database.ts';
import { parseManifest, type Manifest } from '../../../../src/slice/backup/manifest.ts';
import { readBackup } from '../../../../src/slice/backup/read-backup.ts';
import { restoreBackup } from '../../../../src/slice/backup/restore-backup.ts';
import { seal } from '../../../../src/slice/backup/sealed-file.ts';
import { writeBackup } from '../../../../src/slice/backup/write-backup.ts';
import { slicePaths, type SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { openRegistry } from '../../../../src/slice/open-registry.ts';
import { clock, newSlice } from '../intermediate/new-slice.ts';

const key = generateP256();
const { signal } = new AbortController();

let paths: SlicePaths;
let folder: string;
let file: string;
beforeAll(async () => {
  paths = await newSlice();
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-backup-'));
  file = path.join(folder, 'acme.kiwibackup');
  await mkdir(paths.packages);
  await writeFile(path.join(paths.packages, 'packages.json'), '{}', { mode: 0o644 });
  await writeBackup({ dir: paths.dir, output: file, recipients: [publicJwk(key)], clock, signal });
});
afterAll(async () => {
  await rm(path.dirname(paths.dir), { recursive: true });
  await rm(folder, { recursive: true });
});

async function tree(dir: string): Promise<string[]> {
  const found = await readdir(dir, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)))
    .sort();
}

describe('a backup', () => {
  it('is one file of its owner, leaves nothing else behind, and is in the audit', async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['acme.kiwibackup']);
    expect((await readdir(paths.dir)).filter((name) => name.startsWith('.'))).toEqual([]);
    const registry = openRegistry(paths);
    expect(await registry.listAudit(1)).toMatchObject([{ action: 'slice.backup', actor: 'operator' }]);
    registry.close();
  });

  it('has everything but what runs, and the provider’s root key', async () => {
    const { files } = await readBackup(file, key);
    const missing = (await tree(paths.dir)).filter((name) => !files.some((entry) => entry.path === name));
    expect(missing).toEqual(['last-backup.json', 'msp/root.key']);
  });

  it('is not written over one that is there', async () => {
    const before = await readFile(file);
    const again = writeBackup({ dir: paths.dir, output: file, recipients: [publicJwk(key)], clock, signal });
    await expect(again).rejects.toMatchObject({ code: 'file-unusable' });
    expect((await readFile(file)).equals(before)).toBe(true);
    expect(await readdir(folder)).toEqual(['acme.kiwibackup']);
  });

  it('names a folder that is not there', async () => {
    const output = path.join(folder, 'not-mounted', 'acme.kiwibackup');
    const attempt = writeBackup({ dir: paths.dir, output, recipients: [publicJwk(key)], clock, signal });
    const detail = `--output: ${path.dirname(output)} does not exist`;
    await expect(attempt).rejects.toMatchObject({ code: 'file-unusable', detail });
  });

  it('that was cancelled leaves nothing', async () => {
    const output = path.join(folder, 'cancelled');
    const aborted = AbortSignal.abort();
    const attempt = writeBackup({ dir: paths.dir, output, recipients: [publicJwk(key)], clock, signal: aborted });
    await expect(attempt).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(folder)).toEqual(['acme.kiwibackup']);
    expect((await readdir(paths.dir)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('removes what a killed one left, and not what another one is writing', async () => {
    const [left, others] = ['.backup-4194999-abc', `.backup-${process.ppid}-abc`].map((name) =>
      path.join(paths.dir, name),
    );
    await mkdir(left ?? '');
    await mkdir(others ?? '');
    const output = path.join(folder, 'second');
    await writeBackup({ dir: paths.dir, output, recipients: [publicJwk(key)], clock, signal });
    expect((await readdir(paths.dir)).filter((name) => name.startsWith('.'))).toEqual([path.basename(others ?? '')]);
    await rm(others ?? '', { recursive: true });
    await rm(output);
  });

  it('is not made of a registry that is not whole', async () => {
    const kept = path.join(folder, 'kept');
    await copyFile(paths.registry, kept);
    const bytes = await readFile(paths.registry);
    bytes.fill(0xff, 4096 * 3, 4096 * 6);
    await writeFile(paths.registry, bytes);
    const output = path.join(folder, 'bad');
    const attempt = writeBackup({ dir: paths.dir, output, recipients: [publicJwk(key)], clock, signal });
    await expect(attempt).rejects.toThrow();
    await copyFile(kept, paths.registry);
    await rm(kept);
    expect(await readdir(folder)).toEqual(['acme.kiwibackup']);
  });
});

describe('restoring', () => {
  it('gives the same files with the same modes, and says so in the audit', async () => {
    const dir = path.join(folder, 'restored');
    const { missing } = await restoreBackup({ file, key, dir, clock, signal });
    expect(missing).toEqual([]);
    const { files } = await readBackup(file, key);
    expect(await tree(dir)).toEqual(files.map((entry) => entry.path).sort());
    for (const { path: name, mode } of files) {
      expect([name, (await stat(path.join(dir, name))).mode & 0o777]).toEqual([name, mode]);
      if (name === 'registry.sqlite') continue;
      expect((await readFile(path.join(dir, name))).equals(await readFile(path.join(paths.dir, name))), name).toBe(
        true,
      );
    }
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    const registry = openRegistry(slicePaths(dir));
    expect(await registry.listAudit(5)).toMatchObject([{ action: 'slice.restore' }]);
    registry.close();
  });

  it.each([
    ['a slice', 'slice-exists', (dir: string) => writeFile(path.join(dir, 'slice.json'), '')],
    ['other files', 'usage', (dir: string) => writeFile(path.join(dir, 'x'), '')],
  ])('refuses a folder with %s', async (_, code, fill) => {
    const dir = await mkdtemp(path.join(folder, 'filled-'));
    await fill(dir);
    await expect(restoreBackup({ file, key, dir, clock, signal })).rejects.toMatchObject({ code });
    await rm(dir, { recursive: true });
  });

  it('leaves nothing when the backup is damaged at its end, or the key is another one', async () => {
    const bent = path.join(folder, 'bent');
    const bytes = await readFile(file);
    await writeFile(bent, bytes.subarray(0, bytes.length - 100));
    const dir = path.join(folder, 'never');
    await expect(restoreBackup({ file: bent, key, dir, clock, signal })).rejects.toMatchObject({
      code: 'backup-damaged',
    });
    const other = restoreBackup({ file, key: generateP256(), dir, clock, signal });
    await expect(other).rejects.toMatchObject({ code: 'backup-key-refused' });
    await rm(bent);
    expect((await readdir(folder)).sort()).toEqual(['acme.kiwibackup', 'restored']);
  });

  it('refuses a backup that somebody else has written to lead out of the folder', async () => {
    const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    const manifest = (name: string): Manifest => ({
      ...{
        form: 'kiwistack-backup/1',
        customer: { slug: 'acme', name: 'Acme' },
        at: '2026-11-27T00:00:00.000Z',
        version: '1',
      },
      files: [{ path: name, mode: 0o600, size: 0, sha256 }],
    });
    const write = async (name: string): Promise<string> => {
      const list = Buffer.from(JSON.stringify(manifest(name)));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(list.length);
      const parts: Buffer[] = [];
      const content = async function* (): AsyncGenerator<Buffer> {
        yield await Promise.resolve(Buffer.concat([length, list]));
      };
      for await (const part of seal([publicJwk(key)], content())) parts.push(part);
      const forged = path.join(folder, 'forged');
      await writeFile(forged, Buffer.concat(parts));
      return forged;
    };
    expect((await readBackup(await write('ca/x'), key)).files).toHaveLength(1);
    for (const name of ['../x', '/etc/x', 'a/../../x', 'a//x', '.', 'a/b/c/d/e/f/g', 'a\\..\\x', '']) {
      await expect(readBackup(await write(name), key), name).rejects.toMatchObject({ code: 'backup-damaged' });
    }
    await rm(path.join(folder, 'forged'));
    expect(() => parseManifest(Buffer.from('[]'))).toThrow();
  });
});

describe('the keys of a backup', () => {
  it('are taken as PEM, and a private key is not taken for a recipient', async () => {
    const [own, recipient] = [path.join(folder, 'k'), path.join(folder, 'p')];
    await writeFile(own, generateP256().export({ type: 'pkcs8', format: 'pem' }));
    await writeFile(recipient, 'nothing');
    expect((await readRecipientKey(own)).type).toBe('private');
    await expect(readRecipient(own)).rejects.toMatchObject({
      detail: expect.stringContaining('private key') as string,
    });
    await expect(readRecipient(recipient)).rejects.toMatchObject({ code: 'file-unusable' });
    await expect(readRecipientKey(recipient)).rejects.toMatchObject({ code: 'file-unusable' });
  });
});

describe('copying the database of step-ca', () => {
  const page = 4096;
  /** Two meta pages, the second with the number of the last commit, and data of that commit. */
  const database = (commit: number): Buffer => {
    const bytes = Buffer.alloc(6 * page, commit);
    for (const at of [0, page]) {
      bytes.writeUInt32LE(0xed0cdaed, at + 16);
      bytes.writeUInt32LE(page, at + 24);
    }
    bytes.writeUInt32LE(commit, page + 64);
    return bytes;
  };

  it('gives a state between two commits, however often they come', async () => {
    const [from, to] = [path.join(folder, 'bolt'), path.join(folder, 'bolt.copy')];
    await writeFile(from, database(1));
    let commit = 1;
    /** Where the data of a commit is: never over that of the one before. */
    const placeOf = (number: number): number => (2 + 2 * (number % 2)) * page;
    const handle = await open(from, 'r+');
    let torn = 0;
    const copy: typeof copyFile = async (source, target) => {
      const bytes = await readFile(source);
      // The first times, two commits end in the middle of the copy.
      for (const last = commit + (torn++ < 3 ? 2 : 0); commit < last;) {
        const next = database(++commit);
        await handle.write(next, placeOf(commit), 2 * page, placeOf(commit));
        await handle.write(next, page, page, page);
      }
      await writeFile(
        target,
        Buffer.concat([bytes.subarray(0, 2 * page), (await readFile(source)).subarray(2 * page)]),
      );
    };
    await copyStepCaDatabase(from, to, systemClock, copy);
    await handle.close();
    expect(torn).toBe(4);
    const copied = await readFile(to);
    const said = copied.readUInt32LE(page + 64);
    expect(said).toBe(commit);
    const data = copied.subarray(placeOf(said), placeOf(said) + 2 * page);
    expect(data.equals(Buffer.alloc(2 * page, said))).toBe(true);
  });

  it('refuses what is none', async () => {
    const from = path.join(folder, 'none');
    await writeFile(from, randomBytes(3 * page));
    await expect(copyStepCaDatabase(from, `${from}.copy`, systemClock)).rejects.toMatchObject({
      code: 'slice-damaged',
    });
  });
});
