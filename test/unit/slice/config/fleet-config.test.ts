import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { importFleetConfig } from '../../../../src/slice/config/fleet-config.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-fleet-config-'));
  await writeFile(path.join(dir, 'ca.pem'), 'nothing');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const GOOD = {
  url: 'https://fleet.acme.example',
  serverCaFile: 'ca.pem',
  apiTokenFile: 'token',
  enrollSecretFile: 'secret',
  packages: [],
};

async function refusal(content: object, name = 'fleet.json'): Promise<unknown> {
  await writeFile(path.join(dir, 'fleet.json'), JSON.stringify(content));
  return importFleetConfig(path.join(dir, name), '--config').catch((error: unknown) => error);
}

describe("Fleet's configuration file", () => {
  it.each([
    ['a name that is no file', GOOD, 'other.json', '--config: DIR/other.json does not exist'],
    ['a folder', GOOD, '.', '--config: DIR is not a regular file'],
    ['a field too many', { ...GOOD, x: 1 }, undefined, 'DIR/fleet.json: x is not known'],
    ['a field too few', { ...GOOD, url: undefined }, undefined, 'DIR/fleet.json: url must be a text'],
    ['a URL without TLS', { ...GOOD, url: 'http://a' }, undefined, 'DIR/fleet.json: url is not valid'],
    ['an empty name', { ...GOOD, apiTokenFile: '' }, undefined, 'apiTokenFile must have a length of at least 1'],
    ['a file that is not there', { ...GOOD, serverCaFile: 'b.pem' }, undefined, 'DIR/b.pem does not exist'],
    ['a file with something else', GOOD, undefined, 'DIR/ca.pem holds no PEM certificate'],
  ])('is refused for %s, in plain words', async (_, content, name, detail) => {
    expect(await refusal(content, name)).toMatchObject({
      code: 'file-unusable',
      detail: expect.stringContaining(detail.replace('DIR', dir)) as string,
    });
  });

  it('may be a link', async () => {
    await symlink('fleet.json', path.join(dir, 'link.json'));
    expect(await refusal({}, 'link.json')).toMatchObject({ detail: expect.stringContaining('url must be') as string });
  });
});
