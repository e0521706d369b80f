import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Finding } from '../../../../src/checks/check.ts';
import { DAY, issueCertificate } from '../../../../src/pki/issue.ts';
import { generateP256, publicJwk } from '../../../../src/pki/keys.ts';
import { EKU } from '../../../../src/pki/roles.ts';
import { writeBackup } from '../../../../src/slice/backup/write-backup.ts';
import { writeFleetConfig } from '../../../../src/slice/config/fleet-config.ts';
import { slicePaths, type SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { SLICE_CHECKS } from '../../../../src/slice/doctor/checks.ts';
import { examineSlice } from '../../../../src/slice/doctor/examine-slice.ts';
import { readSliceFacts, type SliceFacts } from '../../../../src/slice/doctor/slice-facts.ts';
import { NOW } from '../../pki/test-authority.ts';
import { clock, newSlice } from '../intermediate/new-slice.ts';

let paths: SlicePaths;
let facts: SliceFacts;
beforeAll(async () => {
  paths = await newSlice();
});
afterAll(() => rm(path.dirname(paths.dir), { recursive: true }));
beforeEach(async () => {
  facts = await readSliceFacts(paths.dir, clock, {});
});

type Change = Partial<SliceFacts>;
const look = async (code: string, change: Change = {}): Promise<Finding> => {
  const check = SLICE_CHECKS.find((candidate) => candidate.code === code);
  if (check === undefined) throw new Error(`there is no check ${code}`);
  return check.run({ ...facts, ...change });
};
const later = (days: number): Change => ({ clock: { ...clock, now: () => NOW.getTime() + days * DAY } });
/** Programs that answer with these texts; the others are not there. */
const saying = (answers: Readonly<Record<string, string>>): Change => ({
  ask: (program, ...args) => Promise.resolve(answers[[program, ...args].join(' ')]),
});
const PARTS: NonNullable<SliceFacts['parts']> = {
  ...{ gateway: true, stepCa: true, endpoint: true, auditWhole: true, fleet: 'not-configured' },
  ...{ devices: { pending: 0, active: 0 }, web: { certificate: '' } },
};
const up: Change = { alive: true, parts: PARTS };

async function changed(file: string, change: (text: string) => string, then: () => Promise<void>): Promise<void> {
  const kept = `${file}.kept`;
  await copyFile(file, kept);
  try {
    await writeFile(file, change(await readFile(file, 'utf8')));
    await then();
  } finally {
    await copyFile(kept, file);
    await rm(kept);
  }
}

describe('the checks of a slice', () => {
  it('each have a code of their own, and sentences that say what is so and what it matters', () => {
    expect(new Set(SLICE_CHECKS.map(({ code }) => code)).size).toBe(SLICE_CHECKS.length);
    for (const { code, what, matters, dependsOn } of SLICE_CHECKS) {
      expect([code, what, matters].join('|')).toMatch(/^[a-z-]+\|(?:[A-Z]|step-ca).*\.\|[A-Z].*\.$/u);
      const before = SLICE_CHECKS.slice(
        0,
        SLICE_CHECKS.findIndex((check) => check.code === code),
      );
      for (const needed of dependsOn)
        expect(
          before.map((check) => check.code),
          code,
        ).toContain(needed);
    }
  });

  it('are well where init has just made the slice, but for what is still to be done', async () => {
    const outcomes = await examineSlice(paths.dir, { clock, env: {} });
    const not = outcomes.filter(({ state }) => state === 'not-well').map(({ code }) => code);
    const todo = ['running', 'backup-recent', 'root-key-away', 'fleet-configured'];
    // This machine may have no step-ca in its PATH, no time service, and a clock of its own.
    expect(
      not.filter((code) => !['step-ca-program', 'clock-synchronised', 'ports-free', 'slices-apart'].includes(code)),
    ).toEqual(todo);
    expect(outcomes.map(({ code }) => code)).toEqual(SLICE_CHECKS.map(({ code }) => code));
  });

  it('can be chosen, with those that they depend on', async () => {
    const outcomes = await examineSlice(paths.dir, { clock, env: {} }, ['intermediate-lasts']);
    expect(outcomes.map(({ code, state }) => [code, state])).toEqual([
      ['chain', 'well'],
      ['intermediate-lasts', 'well'],
    ]);
    await expect(examineSlice(paths.dir, { clock, env: {} }, ['fly'])).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('the ends of certificates', () => {
  it.each([
    ['web-certificate-lasts', 370, 380],
    ['web-certificate', 385, 395],
    ['intermediate-lasts', 5 * 365 - 100, 5 * 365 - 80],
    ['chain', 5 * 365 - 10, 5 * 365 + 10],
    ['root-lasts', 365, 365 * 30],
  ])('%s is well after %d days, and not after %d', async (code, early, late) => {
    expect(await look(code, later(early))).toMatchObject({ state: 'well' });
    const found = await look(code, later(late));
    expect(found).toMatchObject({ state: 'not-well', error: { code: 'slice-unwell' } });
    expect(found.error?.operatorHint).toMatch(/kiwistack-slice|docs\/operators/u);
  });

  it('a certificate in the folder that the gateway does not use yet', async () => {
    const certificate = await readFile(paths.gateway.tlsCertificate, 'utf8');
    expect(await look('web-certificate-loaded', { parts: { ...PARTS, web: { certificate } } })).toMatchObject({
      state: 'well',
    });
    const refused = { ...PARTS, web: { certificate: 'older', refused: 'it has expired' } };
    expect(await look('web-certificate-loaded', { parts: refused })).toMatchObject({
      state: 'not-well',
      saw: 'it has expired',
    });
  });
});

describe('step-ca', () => {
  it('has settings that differ from those that this version writes', async () => {
    expect(await look('step-ca-settings')).toMatchObject({ state: 'well' });
    await changed(
      paths.ca.config,
      (text) => text.replace('"24h0m0s"', '"25h0m0s"'),
      async () => {
        expect(await look('step-ca-settings')).toMatchObject({
          state: 'not-well',
          saw: expect.stringContaining('authority.provisioners.0.claims') as string,
        });
        expect(await look('step-ca-safe')).toMatchObject({ state: 'well' });
      },
    );
  });

  it('would renew certificates', async () => {
    await changed(
      paths.ca.config,
      (text) => text.replace('"disableRenewal": true', '"disableRenewal": false'),
      async () => {
        expect(await look('step-ca-safe')).toMatchObject({ state: 'not-well' });
      },
    );
  });

  it('is not there', async () => {
    await expect(look('step-ca-program', { env: { KIWISTACK_STEP_CA: '/nowhere' } })).rejects.toMatchObject({
      code: 'tool-missing',
    });
  });

  it('publishes no list of revoked certificates', async () => {
    expect(await look('crl')).toMatchObject({ state: 'not-known' });
    const config = {
      ...facts.config,
      inside: { ...facts.config.inside, address: '127.0.0.1' },
      ca: { ...facts.config.ca, crlPort: 1 },
    };
    expect(await look('crl', { ...up, config })).toMatchObject({ state: 'not-well' });
  });
});

describe('the files', () => {
  it('that others can read are named', async () => {
    expect(await look('files-private')).toMatchObject({ state: 'well' });
    // The provider's list of intermediates is no secret.
    const list = path.join(paths.dir, 'ca/root.crl');
    await writeFile(list, '', { mode: 0o644 });
    expect(await look('files-private')).toMatchObject({ state: 'well' });
    await rm(list);
    await chmod(paths.ca.key, 0o640);
    expect(await look('files-private')).toMatchObject({ state: 'not-well', saw: 'ca/intermediate.key' });
    await chmod(paths.ca.key, 0o600);
    await chmod(paths.dir, 0o755);
    expect(await look('files-private')).toMatchObject({ saw: 'the folder itself' });
    await chmod(paths.dir, 0o700);
  });

  it('of the registry are read to the last page', async () => {
    expect(await look('registry-whole')).toMatchObject({ state: 'well' });
    const bytes = await readFile(paths.registry);
    const dir = path.join(path.dirname(paths.dir), 'bad');
    await mkdir(dir);
    const bad = slicePaths(dir);
    await writeFile(bad.registry, Buffer.from(bytes).fill(0xff, 4096 * 3, 4096 * 5));
    expect(await look('registry-whole', { paths: bad })).toMatchObject({ state: 'not-well' });
    await rm(dir, { recursive: true });
  });

  it('are backed up, or not for a week', async () => {
    expect(await look('backup-recent')).toMatchObject({ state: 'not-well', saw: 'there is none' });
    const output = path.join(path.dirname(paths.dir), 'backup');
    const { signal } = new AbortController();
    await writeBackup({ dir: paths.dir, output, recipients: [publicJwk(generateP256())], clock, signal });
    expect(await look('backup-recent', later(7))).toMatchObject({ state: 'well' });
    expect(await look('backup-recent', later(9))).toMatchObject({
      state: 'not-well',
      saw: 'the last one is 9 days old',
    });
    await rm(paths.lastBackup);
  });
});

describe('the network', () => {
  const ROUTES = 'ip -json -4 route show table all';

  it.each([
    ['another one', [{ dst: '10.77.0.0/16', dev: 'eth0' }], 'not-well'],
    ['a host in it', [{ dst: '10.77.0.9', dev: 'docker0' }], 'not-well'],
    ['a smaller one in it', [{ dst: '10.77.0.128/25', dev: 'tun0' }], 'not-well'],
    [
      'its own',
      [
        { dst: '10.77.0.0/24', dev: 'kiwi-slice' },
        { dst: 'default', dev: 'eth0' },
      ],
      'well',
    ],
    ['a neighbour', [{ dst: '10.77.1.0/24', dev: 'eth0' }, { dst: 'broadcast' }], 'well'],
  ])('of this machine is %s', async (_, routes, state) => {
    expect(await look('network-free', saying({ [ROUTES]: JSON.stringify(routes) }))).toMatchObject({ state });
  });

  it('is that of another slice, or its interface or port is', async () => {
    const other = path.join(path.dirname(paths.dir), 'other');
    expect(await look('slices-apart')).toMatchObject({ state: 'well' });
    await mkdir(other, { mode: 0o700 });
    const text = await readFile(paths.config, 'utf8');
    const apart = text
      .replace('kiwi-slice', 'kiwi-two')
      .replaceAll('51820', '51821')
      .replaceAll('10.77.0.', '10.78.0.');
    for (const [config, saw] of [
      [text, 'the interface kiwi-slice'],
      [apart.replaceAll('51821', '51820'), 'UDP port 51820'],
      [apart.replaceAll('10.78.0.', '10.77.0.'), 'the network 10.77.0.0/24'],
      [apart, 'TCP port 443'],
    ] as const) {
      await writeFile(path.join(other, 'slice.json'), config, { mode: 0o600 });
      expect(await look('slices-apart')).toMatchObject({ state: 'not-well', saw: `${saw} of ${other}` });
    }
    await rm(other, { recursive: true });
  });
});

describe('the endpoint', () => {
  const SHOW = 'wg show kiwi-slice';

  it('has a peer that no laptop has', async () => {
    const none = saying({ [`${SHOW} preshared-keys`]: '', [`${SHOW} allowed-ips`]: '' });
    expect(await look('peers', { ...up, ...none })).toMatchObject({ state: 'well', saw: '0 peers' });
    const one = saying({ [`${SHOW} preshared-keys`]: 'K=\tP=\n', [`${SHOW} allowed-ips`]: 'K=\t10.77.0.9/32\n' });
    expect(await look('peers', { ...up, ...one })).toMatchObject({ state: 'not-well' });
    expect(await look('peers', none)).toMatchObject({ state: 'not-known' });
  });

  it('has lost its packet filter', async () => {
    const table = 'nft list table inet kiwistack-kiwi-slice';
    const there = saying({ 'nft list tables': 'x', [table]: 'chain arriving {' });
    expect(await look('packet-filter', { ...up, ...there })).toMatchObject({ state: 'well' });
    expect(await look('packet-filter', { ...up, ...saying({ 'nft list tables': '' }) })).toMatchObject({
      state: 'not-well',
    });
    expect(await look('packet-filter', { ...up, ...saying({}) })).toMatchObject({ state: 'not-known' });
  });

  it('is down, or its process hangs', async () => {
    expect(await look('running', up)).toMatchObject({ state: 'well' });
    expect(await look('running', { alive: true, parts: { ...PARTS, stepCa: false } })).toMatchObject({
      saw: 'stepCa: down',
    });
    expect(await look('running', { alive: true })).toMatchObject({ saw: 'its process does not answer' });
  });
});

describe('Fleet', () => {
  it('is not configured, or does not answer', async () => {
    expect(await look('fleet-configured')).toMatchObject({ state: 'not-well' });
    const serverCa = await readFile(paths.webCa.certificate, 'utf8');
    await writeFleetConfig(paths.dir, {
      url: 'https://127.0.0.1:1',
      serverCa,
      apiToken: 't',
      enrollSecret: 's',
      packages: [],
    });
    // All checks of one examination are told the same: the file is read once.
    expect(await look('fleet-configured')).toMatchObject({ state: 'not-well' });
    facts = await readSliceFacts(paths.dir, clock, {});
    expect(await look('fleet-configured')).toMatchObject({ state: 'well' });
    await rm(paths.fleet);
    expect(await look('fleet-configured')).toMatchObject({ state: 'well' });
    expect(await look('fleet-answers')).toMatchObject({ state: 'not-well' });
    expect(await look('fleet-token')).toMatchObject({ state: 'not-well' });
    expect(await look('clock-like-fleet')).toMatchObject({ state: 'not-known' });
  });
});

describe('a Fleet that answers', () => {
  /** What it says to whom: the status of the list of hosts, and the role of the token's user. */
  const says = { hosts: 200, role: 'maintainer' as string | undefined, date: NOW };
  let server: Server;
  let root: string;
  beforeAll(async () => {
    const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) };
    const [rootKey, key] = [generateP256(), generateP256()];
    const ca = await issueCertificate({
      subject: { cn: 'Fleet root' },
      key: rootKey,
      ...validity,
      ca: { pathLength: 0 },
    });
    const issuer = { certificate: ca, key: rootKey };
    const usages = { extendedKeyUsages: [EKU.serverAuth], sanIps: ['127.0.0.1'] };
    const leaf = await issueCertificate({ subject: { cn: 'Fleet' }, key, issuer, ...validity, ...usages });
    root = ca.pem;
    const pair = { cert: leaf.pem, key: key.export({ type: 'pkcs8', format: 'pem' }) };
    server = createServer(pair, (request, response) => {
      const { url = '', headers } = request;
      const known = headers.authorization === 'Bearer token';
      const asked = url.includes('/me') && says.role === undefined ? 404 : says.hosts;
      response.writeHead(url.startsWith('/healthz') ? 200 : known ? asked : 401, { date: says.date.toUTCString() });
      response.end(JSON.stringify({ user: { global_role: says.role } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  const fleet = (change: object = {}): Promise<void> => {
    const { port } = server.address() as AddressInfo;
    const known = {
      url: `https://127.0.0.1:${port}`,
      serverCa: root,
      apiToken: 'token',
      enrollSecret: 's',
      packages: [],
    };
    return writeFleetConfig(paths.dir, { ...known, ...change });
  };
  beforeEach(async () => {
    await fleet();
    Object.assign(says, { hosts: 200, role: 'maintainer', date: NOW });
  });
  afterAll(async () => {
    server.close();
    await rm(paths.fleet);
  });

  it('takes the token, which may do what the slice asks', async () => {
    for (const code of ['fleet-answers', 'fleet-token', 'fleet-token-allowed', 'clock-like-fleet']) {
      expect(await look(code), code).toMatchObject({ state: 'well' });
    }
  });

  it('is not believed under another CA', async () => {
    await fleet({ serverCa: await readFile(paths.webCa.certificate, 'utf8') });
    expect(await look('fleet-answers')).toMatchObject({ state: 'not-well' });
  });

  it('does not take the token', async () => {
    await fleet({ apiToken: 'old' });
    expect(await look('fleet-token')).toMatchObject({ state: 'not-well', saw: 'Fleet answers 401' });
  });

  it('allows the token nothing but to look', async () => {
    says.role = 'observer';
    expect(await look('fleet-token-allowed')).toMatchObject({ state: 'not-well', saw: 'its role is observer' });
    says.role = undefined;
    expect(await look('fleet-token-allowed')).toMatchObject({ state: 'not-known' });
  });

  it('has another time', async () => {
    says.date = new Date(NOW.getTime() - 6 * 60_000);
    expect(await look('clock-like-fleet')).toMatchObject({ state: 'not-well', saw: '360 s apart' });
  });
});

it('a clock that nothing keeps is warned of', async () => {
  const asked = 'timedatectl show --property=NTPSynchronized --value';
  expect(await look('clock-synchronised', saying({ [asked]: 'yes\n' }))).toMatchObject({ state: 'well' });
  expect(await look('clock-synchronised', saying({ [asked]: 'no\n' }))).toMatchObject({ state: 'not-well' });
  expect(await look('clock-synchronised', saying({}))).toMatchObject({ state: 'not-known' });
});
