import type { ChildProcess } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { DUMMY_SECRET } from '../../../src/laptop/fleet-agent/render-agent-settings.ts';
import { buildFleetPackage } from '../../fakes/fleet/build-package.ts';
import { setBehaviour } from '../../fakes/fleet/server/behaviour.ts';
import type { Lab, Laptop } from '../../lab/lab.ts';
import { makeTestRoot } from '../../unit/platform/linux/test-certificates.ts';
import type { AgentCall } from './drivers/agent.ts';
import { drive, leftovers, makeLab, must, type Driven } from './drive.ts';

const URL = 'https://203.0.113.10:8412';

let lab: Lab;
let laptop: Laptop;
let destroy: () => Promise<void>;
let server: ChildProcess;
let folder: string;
let packageFile: string;
let serverCa: string;
let enrollSecret: string;
let delivered: string[];

const call = (agentCall: AgentCall): Promise<Driven> => drive(laptop, 'agent', agentCall);
const install = (more: object = {}, timeoutMs = 20_000): Promise<Driven> =>
  call({
    verb: 'install',
    packageFile,
    timeoutMs,
    settings: {
      url: URL,
      serverCa,
      enrollSecret,
      enableScripts: true,
      disableUpdates: true,
      startAfter: 'wg-quick@kiwi-acme.service',
      ...more,
    },
  });

/** Without dpkg's own journal. */
const changes = async (): Promise<string[]> =>
  (await leftovers(laptop)).filter(
    (line) => !/^\/var\/(log\/(dpkg|fake-journal)|lib\/dpkg\/(status-old|lock))/.test(line),
  );

/** What Fleet shows of its hosts. */
async function hosts(): Promise<{ status: string; osquery_version: string; orbit_version: string | null }[]> {
  const token = (await readFile(path.join(folder, 'api-token'), 'utf8')).trim();
  const config = `header = "Authorization: Bearer ${token}"\nurl = "${URL}/api/v1/fleet/hosts"\ncacert = "${folder}/ca.crt"\n`;
  const answer = await must(lab.slice, ['/usr/bin/curl', '--silent', '--fail', '--config', '-'], config);
  return (JSON.parse(answer) as { hosts: Awaited<ReturnType<typeof hosts>> }).hosts;
}

async function until<Value>(what: () => Promise<Value>, holds: (value: Value) => boolean): Promise<Value> {
  for (const end = Date.now() + 60_000; ;) {
    const value = await what();
    if (holds(value) || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

beforeAll(async () => {
  ({ lab, destroy } = await makeLab());
  folder = path.join(lab.dir, 'private', 'fleet');
  await mkdir(folder, { recursive: true });
  ({ path: packageFile } = await buildFleetPackage({ outDir: path.join(lab.dir, 'packages') }));
  const main = path.resolve(import.meta.dirname, '../../fakes/fleet/server/main.ts');
  server = lab.slice.spawn(
    [process.execPath, main, 'serve', '--quiet', '--dir', folder, '--listen', '203.0.113.10:8412'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await new Promise((resolve) => server.stdout?.once('data', resolve));
  serverCa = await readFile(path.join(folder, 'ca.crt'), 'utf8');
  enrollSecret = (await readFile(path.join(folder, 'enroll-secret'), 'utf8')).trim();
  laptop = await lab.addLaptop({ name: 'anna' });
  delivered = await changes();
});
afterAll(async () => {
  server.kill();
  await destroy();
});
beforeEach(() => setBehaviour(folder, { endUserAuthRequired: false, refuseOsqueryEnroll: false, down: false }));

describe('the gate before the installation', () => {
  it('opens for a Fleet that proves itself under the promised root', async () => {
    expect(await call({ verb: 'gate', url: URL, serverCa })).toMatchObject({ ok: null });
  });

  it('reports a server certificate under another root', async () => {
    const other = (await makeTestRoot('Somebody else')).certificate.pem;
    expect((await call({ verb: 'gate', url: URL, serverCa: other })).error?.code).toBe('fleet-tls');
  });

  it('reports a certificate for another name', async () => {
    const url = 'https://enroll.acme.example:8412';
    expect((await call({ verb: 'gate', url, serverCa })).error?.code).toBe('fleet-tls');
  });

  it('reports when nothing listens, and when Fleet answers with errors', async () => {
    const url = 'https://203.0.113.10:8413';
    expect((await call({ verb: 'gate', url, serverCa })).error?.code).toBe('fleet-unreachable');
    setBehaviour(folder, { down: true });
    expect((await call({ verb: 'gate', url: URL, serverCa })).error).toEqual({
      code: 'fleet-unreachable',
      detail: "orbit's ping answers HTTP 503",
    });
  });
});

describe('the agent', () => {
  afterEach(async () => {
    expect(await call({ verb: 'uninstall' })).toMatchObject({ ok: null });
    expect(await changes()).toEqual(delivered);
    // The stand-in for the journal knows no time: what the last agent said is taken away.
    await laptop.run(['/bin/rm', '-f', '/var/log/fake-journal/orbit.service.log']);
  });

  it('is installed, enrolls orbit and osquery, forgets its secret and keeps running', async () => {
    const installed = await install();
    console.info(`agent install to node key: ${installed.ms} ms`);
    expect(installed).toMatchObject({ ok: null });
    expect((await call({ verb: 'status' })).ok).toEqual({
      version: '1.48.0',
      configuredByUs: true,
      running: true,
      orbitEnrolled: true,
    });
    expect(await until(hosts, ([host]) => typeof host?.orbit_version === 'string')).toMatchObject([
      { status: 'online' },
    ]);

    expect(await must(laptop, ['/bin/cat', '/etc/fleet/enroll.env'])).toContain(enrollSecret);
    expect(await call({ verb: 'forgetSecret' })).toMatchObject({ ok: null });
    expect((await laptop.run(['/usr/bin/grep', '-r', enrollSecret, '/etc', '/opt/orbit', '/var/lib'])).stdout).toBe('');
    expect(await must(laptop, ['/bin/cat', '/etc/fleet/enroll.env'])).toContain(DUMMY_SECRET);
    await must(laptop, ['/usr/bin/systemctl', 'restart', 'orbit']);
    const restarted = await call({ verb: 'status' });
    expect(restarted.ok).toMatchObject({ running: true, orbitEnrolled: true });
  });

  it('is installed again over itself', async () => {
    expect(await install()).toMatchObject({ ok: null });
    expect(await install()).toMatchObject({ ok: null });
  });

  it.each<[string, object, object, string]>([
    ['its secret is wrong', {}, { enrollSecret: 'wrong' }, 'fleet-refused'],
    ['the user has to sign in first', { endUserAuthRequired: true }, {}, 'fleet-refused'],
    ['Fleet is not there', {}, { url: 'https://203.0.113.10:8413' }, 'fleet-unreachable'],
  ])('says when %s', async (_what, behaviour, settings, code) => {
    setBehaviour(folder, behaviour);
    expect((await install(settings, 3_000)).error?.code).toBe(code);
  });

  it('reports a Fleet whose certificate is not under the granted root', async () => {
    const other = (await makeTestRoot('Somebody else')).certificate.pem;
    expect((await install({ serverCa: other }, 3_000)).error?.code).toBe('fleet-tls');
  });

  it('reports when only orbit enrolls', async () => {
    setBehaviour(folder, { refuseOsqueryEnroll: true });
    expect(await install()).toMatchObject({ ok: null });
    const explain = async (): Promise<string | undefined> => (await call({ verb: 'explain' })).error?.code;
    expect(await until(explain, (code) => code === 'fleet-half-enrolled')).toBe('fleet-half-enrolled');
  });

  it('reports what dpkg said about a file that is not a package', async () => {
    const done = await call({
      verb: 'install',
      packageFile: '/etc/hostname',
      timeoutMs: 1_000,
      settings: { url: URL, serverCa, enrollSecret, enableScripts: true, disableUpdates: true, startAfter: undefined },
    });
    expect(done.error?.code).toBe('package-install-failed');
    expect(done.error?.detail).toContain('is not a Debian format archive');
  });
});
