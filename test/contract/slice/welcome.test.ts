import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';

// The gateway's own page, with a real gateway and the command that fills the shelf.

const PROJECT = path.join(import.meta.dirname, '../../..');
const NODE = path.join(PROJECT, 'node_modules/.bin/node');
const NAME = 'kiwistack-enroll_0.1.0_amd64.deb';
const content = randomBytes(100_000);
const sha256 = createHash('sha256').update(content).digest('hex');

let slice: TestSlice;
beforeAll(async () => {
  slice = await startTestSlice();
});
afterAll(() => slice.remove());

const get = (at: string) => slice.gateway.send('GET', at);
async function packages(...args: string[]): Promise<Record<string, unknown>> {
  const argv = [path.join(PROJECT, 'src/apps/slice/main.ts'), 'packages', ...args, '--dir', slice.dir, '--json'];
  const { stdout } = await promisify(execFile)(NODE, argv).catch((error: unknown) => error as { stdout: string });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('the page where a person begins', () => {
  test('names the customer, and says that there is no package yet', async () => {
    const { status, headers, body } = await get('/');
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringContaining("default-src 'none'; style-src 'self'") as string,
      'cache-control': 'public, max-age=60',
      vary: 'accept-language, user-agent',
      'x-content-type-options': 'nosniff',
    });
    expect(body).toContain('<h1>Set up your laptop for ');
    expect(body).toContain('Your operator has put no package here yet.');
    expect((await get('/style.css')).headers['content-type']).toBe('text/css; charset=utf-8');
    expect((await get('/?lang=de')).body).toContain('<html lang="de">');
  });

  test('offers what the operator has added, at once, with its hash; and hands it out', async () => {
    const file = path.join(slice.dir, NAME);
    await writeFile(file, content);
    expect(await packages('add', file)).toMatchObject({ result: 'added', sha256, size: content.length });
    expect(await packages('list')).toMatchObject({ packages: [{ name: NAME, system: 'linux', sha256 }] });
    const link = `/packages/${sha256}/${NAME}`;
    const { body } = await get('/');
    expect(body).toContain(link);
    expect(body).toContain(`<code>${sha256}</code>`);
    const { status, headers } = await get(link);
    expect({ status, headers }).toMatchObject({
      status: 200,
      headers: {
        'content-length': String(content.length),
        'content-disposition': `attachment; filename="${NAME}"`,
        'cache-control': 'public, max-age=31536000, immutable',
      },
    });
  });

  test('hands out nothing else', async () => {
    for (const at of [
      `/packages/${sha256}/other.deb`,
      `/packages/${'0'.repeat(64)}/${NAME}`,
      '/packages/packages.json/packages.json',
      '/packages/..%2F..%2Fslice.json/slice.json',
      '/index.html',
    ]) {
      expect((await get(at)).status, at).toBe(404);
    }
    expect((await slice.gateway.send('POST', '/')).status).toBe(404);
  });

  test('takes a package away', async () => {
    expect(await packages('remove', NAME)).toMatchObject({ result: 'removed' });
    expect((await get(`/packages/${sha256}/${NAME}`)).status).toBe(404);
    expect(await packages('remove', NAME)).toMatchObject({ error: { code: 'file-unusable' } });
    expect(await packages('add', '/nowhere/a.deb')).toMatchObject({ error: { code: 'file-unusable' } });
  });
});
