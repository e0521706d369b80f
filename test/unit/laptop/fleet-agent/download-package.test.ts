import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { MockAgent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { downloadPackage } from '../../../../src/laptop/fleet-agent/download-package.ts';

const content = Buffer.alloc(100_000, 'fleet');
const sha256 = createHash('sha256').update(content).digest('base64url');
const origin = 'https://gateway.acme.example';
const url = `${origin}/v1/packages/fleet.deb`;

let folder: string;
let server: MockAgent;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'download-'));
  server = new MockAgent();
  server.disableNetConnect();
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const answer = (status: number, body: Buffer): void =>
  void server.get(origin).intercept({ path: '/v1/packages/fleet.deb' }).reply(status, body);
const download = (more: object = {}): Promise<void> =>
  downloadPackage({ url, sha256, size: content.length, file: join(folder, 'fleet.deb'), dispatcher: server, ...more });

describe('the download of the package', () => {
  it('leaves the promised file, for root alone', async () => {
    answer(200, content);
    await download();
    expect((await readFile(join(folder, 'fleet.deb'))).equals(content)).toBe(true);
    expect((await stat(join(folder, 'fleet.deb'))).mode & 0o777).toBe(0o600);
  });

  it.each<[string, Buffer, object, string]>([
    ['other bytes', Buffer.alloc(content.length, 'evil!'), {}, 'package-hash-mismatch'],
    ['one byte less', content.subarray(1), {}, 'package-hash-mismatch'],
    ['one byte more', Buffer.concat([content, Buffer.from('x')]), {}, 'package-hash-mismatch'],
    ['no end of it', Buffer.alloc(10_000_000), {}, 'package-hash-mismatch'],
  ])('leaves nothing of %s', async (_what, body, more, code) => {
    answer(200, body);
    await expect(download(more)).rejects.toMatchObject({ code });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([302, 404, 500])('does not take HTTP %i for a package', async (status) => {
    answer(status, content);
    await expect(download()).rejects.toMatchObject({ code: 'gateway-unreachable' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('reports when there is no server', async () => {
    await expect(download()).rejects.toMatchObject({ code: 'gateway-unreachable' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('ends when it is cancelled', async () => {
    answer(200, content);
    await expect(download({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('never writes through a file or a link that is there already', async () => {
    answer(200, content);
    await download();
    answer(200, content);
    await expect(download()).rejects.toMatchObject({ code: 'EEXIST' });
    expect((await readFile(join(folder, 'fleet.deb'))).equals(content)).toBe(true);
  });
});
