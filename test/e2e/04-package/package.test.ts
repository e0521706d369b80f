import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { withoutAptTraces } from '../../contract/linux-package/apt-traces.ts';
import { buildDeb } from '../../contract/linux-package/build.ts';
import type { Laptop } from '../../lab/lab.ts';
import type { RunResult } from '../../lab/run-in-room.ts';
import { PIN, SLICE, World } from '../../world/world.ts';

// What a person gets: the package of their provider, its roots in it, and nothing of this project but that.
const ENROLL = '/usr/bin/kiwistack-enroll';
const SERIAL = 30_000_001;
const DIST = path.join(import.meta.dirname, '../../../installers/release/main.ts');

let dir: string;
let world: World;
let laptop: Laptop;
let before: string[];
let deb: string;
let newer: string;
let newest: string;

const run = (...argv: string[]): Promise<RunResult> => laptop.run(argv);
const changes = async (): Promise<string[]> => withoutAptTraces(await laptop.changes());

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-package-'));
  world = await World.create({ dir });
  const roots = ['--msp-roots', path.join(world.sliceDir, 'msp', 'root.crt')];
  const out = path.join(dir, 'packages');
  deb = await buildDeb(out, roots);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(path.join(dir, 'release.key'), keys.privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  });
  await writeFile(path.join(dir, 'release.pem'), keys.publicKey.export({ type: 'spki', format: 'pem' }));
  const pinned = [...roots, '--release-keys', path.join(dir, 'release.pem')];
  newer = await buildDeb(out, [...pinned, '--version', '0.1.0+1']);
  newest = await buildDeb(out, [...pinned, '--version', '0.1.0+2']);
  [laptop] = await Promise.all([world.addLaptop({ name: 'ada' }), world.provisionKey(SERIAL)]);
  await run('/bin/rm', '-r', '/etc/kiwistack');
  await world.plugIn(laptop, SERIAL);
  before = await changes();
});
afterAll(async () => {
  await world.destroy();
  await rm(dir, { recursive: true, force: true });
});

test('the package is installed, and an enrollment is interrupted', async () => {
  expect(await run('/usr/bin/dpkg', '-i', deb)).toMatchObject({ code: 0 });
  const child = laptop.spawn([ENROLL, 'enroll', '--json', '--pin-fd', '0', '--wait', '10']);
  child.stdin?.end(`${PIN}\n`);
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (/"step-started"[^\n]*"certificate"/u.test(said)) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
  expect(said).toContain('"certificate"');
  expect(said).not.toContain('"green"');
});

test('the package cannot be removed now but can be upgraded, and the next run resumes without key, PIN and touch', async () => {
  const refused = await run('/usr/bin/dpkg', '--purge', 'kiwistack-enroll');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('sudo kiwistack-enroll uninstall');
  expect(await run('/usr/bin/dpkg', '-i', newer)).toMatchObject({ code: 0 });
  const { code, stdout, stderr } = await run(ENROLL, 'enroll', '--json');
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain('"type":"resumed"');
  expect(stdout).not.toContain('pin-expected');
  expect(stdout).toContain('"result":"green"');
  const status = await run(ENROLL, 'status');
  expect(status, status.stdout).toMatchObject({ code: 0 });
  const devices = await world.operator(['device', 'list', '--dir', world.sliceDir, '--json']);
  expect(devices.stdout.match(/"state": ?"active"/gu)).toHaveLength(1);
});

test('the service of the timer asks the slice', async () => {
  expect(await run('/usr/bin/systemctl', 'start', 'kiwistack-enroll-check.service')).toMatchObject({ code: 0 });
  const { stdout } = await run('/usr/bin/journalctl', '-u', 'kiwistack-enroll-check.service');
  expect(stdout).toContain('Status at Acme GmbH: active.');
});

test('the service of the other timer installs what the provider has released, through the gateway', async () => {
  const manifest = path.join(dir, 'manifest.jws');
  const shelf = (...args: string[]): Promise<RunResult> =>
    world.slice.run([...SLICE, 'packages', ...args, '--dir', world.sliceDir]);
  const sign = ['manifest', '--key', path.join(dir, 'release.key'), '--out', manifest, newest];
  await promisify(execFile)(process.execPath, [DIST, ...sign]);
  expect(await shelf('release', manifest), 'its packages have to be there').toMatchObject({ code: 2 });
  expect(await shelf('add', newest)).toMatchObject({ code: 0 });
  expect(await shelf('release', manifest)).toMatchObject({ code: 0 });
  const started = await run('/usr/bin/systemctl', 'start', 'kiwistack-enroll-update.service');
  const { stdout } = await run('/usr/bin/journalctl', '-u', 'kiwistack-enroll-update.service');
  expect(started, stdout).toMatchObject({ code: 0 });
  expect(stdout).toContain('Version 0.1.0+2 was installed.');
  expect((await run('/usr/bin/dpkg-query', '-W', '-f', '${Version}', 'kiwistack-enroll')).stdout).toBe('0.1.0+2');
  const again = await run(ENROLL, 'update', '--json');
  expect(JSON.parse(again.stdout)).toEqual({ type: 'result', result: 'current', version: '0.1.0+2' });
  expect(await run(ENROLL, 'status')).toMatchObject({ code: 0 });
});

test('an update that finds the disk full leaves the version that is installed, and no part of a download', async () => {
  const state = '/var/lib/kiwistack';
  await run(
    '/bin/sh',
    '-ec',
    `mkdir /tmp/kept; cp -a ${state}/. /tmp/kept; mount -t tmpfs -o size=2m,mode=700 t ${state}; cp -a /tmp/kept/. ${state}`,
  );
  await run('/usr/bin/dpkg', '-i', newer);
  const full = await run(ENROLL, 'update', '--json');
  expect(full.stdout).toContain('"code":"disk-full"');
  expect((await run('/usr/bin/dpkg-query', '-W', '-f', '${Version}', 'kiwistack-enroll')).stdout).toBe('0.1.0+1');
  expect((await run('/bin/ls', state)).stdout).not.toContain('update-');
  await run('/bin/sh', '-ec', `umount ${state}; rm -r /tmp/kept`);
});

test('uninstalled while the slice is down: purging the package reports it, and leaves nothing', async () => {
  await world.stopSlice();
  const { code, stdout, stderr } = await run(ENROLL, 'uninstall', '--json');
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain('"sliceTold":false');
  await world.startSlice();
  const purged = await run('/usr/bin/dpkg', '--purge', 'kiwistack-enroll');
  expect(purged).toMatchObject({ code: 0, stderr: '' });
  const devices = await world.operator(['device', 'list', '--dir', world.sliceDir, '--json']);
  expect(devices.stdout).toMatch(/"state": ?"ended"/u);
  expect(devices.stdout).not.toMatch(/"state": ?"active"/u);
  expect(await changes()).toEqual(before);
});
