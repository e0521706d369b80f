import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { makeRootFileSystem } from '../../../installers/image/make-disk.ts';
import { PARTITION_TYPES, writePartitionTable } from '../../../installers/image/partition-table.ts';
import { personalize } from '../../../installers/image/personalize.ts';
import { readPlacedFile } from '../../../installers/image/put-file.ts';
import { requireTools } from '../../../installers/image/tools.ts';
import { encryptTo } from '../../../src/pki/jwe.ts';
import { generateP256Pair, publicJwk } from '../../../src/pki/keys.ts';
import { SEALED_TOKEN } from '../../../src/protocol/bootstrap.ts';
import { BOOTSTRAP } from '../../unit/installers/image/bootstrap-of-a-test.ts';

const run = promisify(execFile);
const MIB = 1 << 20;
const UUID = '3f0c9a52-7d6b-8e41-9b0a-5c4d3e2f1a0b';
const PARTITION = { name: 'kiwi-root', type: PARTITION_TYPES.root, uuid: UUID, start: 4 * MIB, size: 24 * MIB };
const now = new Date('2026-11-27T12:00:00Z');
const tools = requireTools(['debugfs', 'mke2fs']);

let folder: string;
let image: string;
let bootstrap: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-image-test-'));
  const root = path.join(folder, 'root');
  await mkdir(path.join(root, 'var/lib/kiwistack'), { recursive: true });
  await chmod(path.join(root, 'var/lib/kiwistack'), 0o700);
  await mkdir(path.join(root, 'var/lib/cloud/seed/nocloud'), { recursive: true });
  await writeFile(path.join(root, 'var/lib/cloud/seed/nocloud/meta-data'), 'instance-id: kiwistack-base\n');
  await writeFile(path.join(root, 'other'), 'something else');
  await mkdir(path.join(root, 'etc/kiwistack'), { recursive: true });
  await writeFile(path.join(root, 'etc/kiwistack/image'), 'kiwistack-base_0.1.0_test\n');
  image = path.join(folder, 'base.raw');
  await writeFile(image, '');
  await truncate(image, 32 * MIB);
  await writePartitionTable(image, { uuid: UUID, size: 32 * MIB, partitions: [PARTITION] });
  await makeRootFileSystem(tools, { disk: image, root, uuid: UUID, epochSeconds: 1_795_000_000 }, PARTITION);
  bootstrap = path.join(folder, 'PF3XK2AB.json');
  await writeFile(bootstrap, JSON.stringify(BOOTSTRAP));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const placed = (disk: string, target: string): ReturnType<typeof readPlacedFile> =>
  readPlacedFile(tools.debugfs, { disk, partition: PARTITION }, target);
const digest = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
const check = (disk: string): Promise<unknown> =>
  run('/sbin/e2fsck', ['-f', '-n', `${disk}?offset=${PARTITION.start.toString()}`]);

describe('the disk', () => {
  test('has a table that other programs read in the same way', async () => {
    const { stdout } = await run('/usr/bin/partx', [
      '--noheadings',
      '--raw',
      '--output',
      'START,SECTORS,NAME,UUID,TYPE',
      image,
    ]);
    expect(stdout.trim()).toBe(`8192 49152 kiwi-root ${UUID} ${PARTITION_TYPES.root}`);
  });

  test('has a file system without a fault', async () => {
    await check(image);
  });
});

describe('an image for one laptop', () => {
  test('has its token, which only root can read, and is a laptop of its own for cloud-init', async () => {
    const before = await digest(image);
    const out = path.join(folder, 'one.raw');
    expect((await personalize({ image, bootstrap, key: undefined, out, now })).serial).toBe('PF3XK2AB');
    const found = await placed(out, '/var/lib/kiwistack/bootstrap.json');
    expect(found).toMatchObject({ mode: 0o600, owner: '0:0' });
    const token = { ...BOOTSTRAP, image: 'kiwistack-base_0.1.0_test' };
    expect(JSON.parse(found?.content.toString() ?? '')).toEqual(token);
    const seed = await placed(out, '/var/lib/cloud/seed/nocloud/meta-data');
    expect(seed?.content.toString()).toBe(`instance-id: kiwistack-${BOOTSTRAP.tokenId}\n`);
    expect(seed?.mode).toBe(0o644);
    expect((await placed(out, '/other'))?.content.toString()).toBe('something else');
    await check(out);
    // The token is a secret, and so is the image.
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect(await digest(image)).toBe(before);
  });

  test('is not made from one that has a token already, nor over another file', async () => {
    const out = path.join(folder, 'one.raw');
    const again = path.join(folder, 'again.raw');
    await expect(personalize({ image: out, bootstrap, key: undefined, out: again, now })).rejects.toMatchObject({
      code: 'file-unusable',
      detail: expect.stringContaining('already is the image of one laptop') as string,
    });
    await expect(personalize({ image, bootstrap, key: undefined, out, now })).rejects.toMatchObject({
      code: 'file-unusable',
      detail: expect.stringContaining('exists already') as string,
    });
  });

  test('can be made in place, on the disk that the image was written to', async () => {
    const disk = path.join(folder, 'disk.raw');
    await writeFile(disk, await readFile(image));
    await personalize({ image: disk, bootstrap, key: undefined, out: undefined, now });
    expect((await placed(disk, '/var/lib/kiwistack/bootstrap.json'))?.mode).toBe(0o600);
    await check(disk);
  });

  test('can be made with a token that is sealed for the OEM, and with its key alone', async () => {
    const [own, other] = [generateP256Pair(), generateP256Pair()];
    const sealed = path.join(folder, 'PF3XK2AB.sealed');
    await writeFile(sealed, `${await encryptTo(publicJwk(own.publicKey), JSON.stringify(BOOTSTRAP), SEALED_TOKEN)}\n`);
    const keyFile = async (name: string, { privateKey }: typeof own): Promise<string> => {
      await writeFile(path.join(folder, name), privateKey.export({ format: 'pem', type: 'pkcs8' }));
      return path.join(folder, name);
    };
    const out = path.join(folder, 'sealed.raw');
    const wrong = [undefined, await keyFile('other.key', other)];
    for (const key of wrong) {
      await expect(personalize({ image, bootstrap: sealed, key, out, now })).rejects.toMatchObject({
        code: 'file-unusable',
      });
    }
    const token = await personalize({ image, bootstrap: sealed, key: await keyFile('own.key', own), out, now });
    expect(token).toEqual(BOOTSTRAP);
    expect((await placed(out, '/var/lib/kiwistack/bootstrap.json'))?.content.toString()).toContain(BOOTSTRAP.secret);
  });

  test('is not made with a token whose time is over, or that is none', async () => {
    const out = path.join(folder, 'none.raw');
    const over = path.join(folder, 'over.json');
    await writeFile(over, JSON.stringify({ ...BOOTSTRAP, expiresAt: '2026-11-27T12:00:00.000Z' }));
    const none = path.join(folder, 'none.json');
    await writeFile(none, '{"version":1}');
    for (const file of [over, none]) {
      await expect(personalize({ image, bootstrap: file, key: undefined, out, now })).rejects.toMatchObject({
        code: 'file-unusable',
      });
    }
    expect(existsSync(out)).toBe(false);
  });

  test('is not made from something else, and leaves nothing half made', async () => {
    const out = path.join(folder, 'none.raw');
    const small = path.join(folder, 'small.raw');
    await writeFile(small, await readFile(image));
    // A file system in which the folder is missing.
    const root = path.join(folder, 'empty-root');
    await mkdir(root);
    await makeRootFileSystem(tools, { disk: small, root, uuid: UUID, epochSeconds: 1_795_000_000 }, PARTITION);
    await expect(personalize({ image: small, bootstrap, key: undefined, out, now })).rejects.toMatchObject({
      code: 'file-unusable',
    });
    await expect(personalize({ image: bootstrap, bootstrap, key: undefined, out, now })).rejects.toMatchObject({
      code: 'file-unusable',
    });
    expect((await readdir(folder)).filter((name) => name.startsWith('none.raw'))).toEqual([]);
  });
});
