import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { systemClock } from '../../../../src/core/clock.ts';
import type { KiwiError } from '../../../../src/core/errors.ts';
import { initSlice, type InitOptions } from '../../../../src/slice/init/init-slice.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-options-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const refused = (wrong: Partial<InitOptions>): Promise<unknown> =>
  initSlice(
    {
      dir: path.join(dir, 'd'),
      slug: 'acme',
      name: 'Acme GmbH',
      gatewayUrl: 'https://enroll.acme.example',
      ...wrong,
    },
    systemClock,
  ).catch((error: unknown) => error);

describe('init', () => {
  it.each<[string, Partial<InitOptions>]>([
    ['--slug', { slug: 'ACME' }],
    ['--name', { name: 'Acme\nGmbH' }],
    ['--gateway-url', { gatewayUrl: 'http://enroll.acme.example' }],
    ['--listen', { listen: { host: '0.0.0.0', port: 70_000 } }],
    ['--inside-address', { insideAddress: '10.77.0' }],
    ['--inside-network', { insideNetwork: '10.77.0.0' }],
    ['--inside-cidrs', { insideCidrs: ['10.77.0.0/24', 'x'] }],
    ['--dns-servers', { dnsServers: ['x'] }],
    ['--role-domains', { domains: ['Acme'] }],
    ['--interface', { interface: 'a-name-that-is-too-long' }],
    ['--wireguard-port', { wireguardPort: 99_999 }],
    ['--public-address', { publicAddress: 'not a host' }],
    ['--ca-port', { caPort: 0.5 }],
    ['--crl-port', { crlPort: 0 }],
    ['--operator', { operator: '' }],
    ['--session-seconds', { sessionSeconds: 1 }],
    ['--confirm-seconds', { confirmSeconds: 0 }],
    ['--quota', { quota: 0.5 }],
    ['--rate-limit', { rateLimit: { burst: 0, perSecond: 0 } }],
  ])('names %s when it is wrong, and says what it takes', async (option, wrong) => {
    const { code, detail = '' } = (await refused(wrong)) as KiwiError;
    expect(code).toBe('usage');
    expect(detail).toMatch(new RegExp(String.raw`^${option}:? (?:must be|an https) [^;]+$`, 'u'));
    // zod's own words
    expect(detail).not.toMatch(/invalid|expected|pattern|too (?:big|small)/iu);
    expect(await readdir(dir)).toEqual([]);
  });

  it.each(['/proc/acme', '/etc/hostname', '/etc/hostname/acme'])('names --dir when it is %s', async (where) => {
    expect(await refused({ dir: where })).toMatchObject({
      code: 'usage',
      detail: expect.stringContaining(`--dir: no folder can be made at ${where}`) as string,
    });
  });

  it('names every option that is wrong', async () => {
    const { detail } = (await refused({ slug: 'ACME', caPort: 0 })) as KiwiError;
    expect(detail).toMatch(/^--slug must be .*; --ca-port must be 1 to 65535$/);
  });
});
