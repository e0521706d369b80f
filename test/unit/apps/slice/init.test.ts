import { readdir, writeFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { initOptions } from '../../../../src/apps/slice/init-options.ts';
import { toKiwiError } from '../../../../src/core/errors.ts';
import { DAY } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { EKU } from '../../../../src/pki/roles.ts';
import { readSliceConfig } from '../../../../src/slice/config/slice-config.ts';
import { sliceNotices } from '../../../../src/slice/config/slice-notices.ts';
import { initSlice } from '../../../../src/slice/init/init-slice.ts';
import { issue, makeIntermediate, makeRoot, NOW, type Authority } from '../../pki/test-authority.ts';
import { clock, newSlice } from '../../slice/intermediate/new-slice.ts';

const ARGS = { slug: 'acme', name: 'Acme GmbH', gatewayUrl: 'https://enroll.acme.example' };
const HOST = { extendedKeyUsages: [EKU.serverAuth], sanDns: ['enroll.acme.example'] };
const detailOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'taken',
    (error: unknown) => `${toKiwiError(error).code} ${toKiwiError(error).detail ?? ''}`,
  );

describe('init refuses, with the option’s name', () => {
  test.each([
    ['--inside-address', { insideAddress: '10.99.0.1' }],
    ['--inside-address', { insideNetwork: '10.78.0.0/24' }],
    ['--inside-address', { insideAddress: '10.77.0.255' }],
    ['--inside-address', { insideAddress: '10.77.0.0' }],
    ['--inside-cidrs', { insideCidrs: ['10.77.1.0/24'] }],
  ])('%s: %o', async (option, flags) => {
    expect(await detailOf(initOptions({ dir: 'x', ...ARGS, ...flags }))).toMatch(new RegExp(`^usage ${option} `));
  });

  test('nothing that works', async () => {
    const beta = { insideAddress: '10.78.0.1', insideNetwork: '10.78.0.0/24', insideCidrs: ['10.78.0.0/16'] };
    expect(await detailOf(initOptions({ dir: 'x', ...ARGS, ...beta }))).toBe('taken');
    expect(await detailOf(initOptions({ dir: 'x', ...ARGS }))).toBe('taken');
  });
});

describe('a web certificate', () => {
  let folder: string;
  let authority: Authority;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'kiwi-web-'));
    authority = await makeIntermediate(await makeRoot('Web root'));
  });

  const init = async (changes: Parameters<typeof issue>[1], key?: Authority['key']): Promise<string> => {
    const leaf = await issue('enroll.acme.example', { issuer: authority, ...HOST, ...changes });
    const tls = { certificateFile: path.join(folder, 'tls.crt'), keyFile: path.join(folder, 'tls.key') };
    await writeFile(tls.certificateFile, leaf.certificate.pem + authority.certificate.pem);
    await writeFile(tls.keyFile, (key ?? leaf.key).export({ type: 'pkcs8', format: 'pem' }));
    return detailOf(initSlice({ dir: path.join(folder, 'deep', 'acme'), ...ARGS, tls }, clock));
  };

  test.each([
    [
      'that is over',
      { notBefore: new Date(0), notAfter: new Date(NOW.getTime() - 1) },
      '--tls-cert is expired on 2026-03-01',
    ],
    [
      'that is not valid yet',
      { notBefore: new Date(NOW.getTime() + DAY) },
      '--tls-cert is not valid before 2026-03-02',
    ],
    [
      'of another host',
      { sanDns: ['www.other.example'] },
      '--tls-cert is for DNS:www.other.example, not for enroll.acme.example',
    ],
    ['with its host in the common name only', { sanDns: [] }, '--tls-cert is for no host'],
  ])('%s is refused before anything is written', async (_, changes, why) => {
    expect(await init(changes)).toContain(`usage ${why}`);
    expect(await readdir(folder)).not.toContain('deep');
  });

  test('with another key is refused', async () => {
    expect(await init({}, generateP256())).toContain('usage --tls-key is not the key of the certificate');
  });

  test('is taken when it fits, also with a wildcard', async () => {
    expect(await init({ sanDns: ['*.acme.example'] })).toBe('taken');
  });

  test('is warned of two weeks before its end, and said to be over afterwards', async () => {
    const paths = await newSlice();
    const config = await readSliceConfig(paths.dir);
    // The web CA that stands in for the public ones gives 390 days.
    const at = async (days: number): Promise<object[]> =>
      sliceNotices(paths, config, new Date(NOW.getTime() + days * DAY));
    expect(await at(375)).toEqual([]);
    expect(await at(377)).toMatchObject([{ code: 'web-certificate-ends', failing: false }]);
    expect(await at(391)).toMatchObject([{ code: 'web-certificate', failing: true }]);
    const moved = { ...config, gateway: { ...config.gateway, url: 'https://other.example' } };
    expect(await sliceNotices(paths, moved, NOW)).toMatchObject([{ code: 'web-certificate', failing: true }]);
  });
});
