import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildFleetPackage } from '../../fakes/fleet/build-package.ts';
import { setBehaviour } from '../../fakes/fleet/server/behaviour.ts';
import { fleetFiles } from '../../fakes/fleet/server/files.ts';
import { NamespaceLaptop, type LaptopProcess } from './namespace-laptop.ts';

const URL = 'https://10.77.1.20:8412';
const HARDWARE = { uuid: '4c4c4544-0042-3510-8052-c4c04f564231', serial: 'KW-0042', model: 'Kiwi 14' };
const NODE_KEY = '/opt/orbit/secret-orbit-node-key.txt';
const SERVER = join(import.meta.dirname, '../../fakes/fleet/server/main.ts');

interface HostAnswer {
  readonly id: number;
  readonly status: string;
  readonly hostname: string;
  readonly osquery_version: string;
  readonly orbit_version: string | null;
  readonly last_enrolled_at: string;
  readonly detail_updated_at: string;
  readonly hardware_model: string;
  readonly mdm: { readonly device_status: string; readonly pending_action: string };
}

let work: string;
let packagePath: string;
let laptop: NamespaceLaptop;
let server: LaptopProcess;
let dir: string;
const started: LaptopProcess[] = [];

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'fleet-contract-'));
  packagePath = (await buildFleetPackage({ outDir: join(work, 'package') })).path;
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

beforeEach(async () => {
  dir = mkdtempSync(join(work, 'server-'));
  laptop = await NamespaceLaptop.boot('lap-42', '10.77.1.20', HARDWARE);
  server = await startServer();
  await laptop.write('/tmp/agent.deb', readFileSync(packagePath));
  await laptop.run('/usr/bin/dpkg', '-i', '/tmp/agent.deb');
  await laptop.write('/etc/fleet/ca.pem', readFileSync(fleetFiles(dir).caPath));
});
afterEach(async () => {
  for (const process of started.splice(0)) await process.stop();
  await server.stop();
  await laptop.stop();
});

describe('the stand-in agent against the stand-in server', () => {
  it('enrolls on both planes and turns the host green within seconds', async () => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    const agent = startAgent();
    const host = await untilHost((known) => known.orbit_version !== null);
    expect(host).toMatchObject({
      status: 'online',
      hostname: 'lap-42',
      osquery_version: '5.18.1',
      orbit_version: '1.48.0',
      hardware_model: 'Kiwi 14',
    });
    expect(Date.parse(host.last_enrolled_at)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(host.detail_updated_at)).toBeGreaterThanOrEqual(before);
    expect(laptop.read(NODE_KEY)).toMatch(/^[A-Za-z0-9+/]{32}$/);
    expect(statSync(laptop.path(NODE_KEY)).mode & 0o777).toBe(0o600);
    expect(agent.log()).not.toMatch(/ERR|Failed/);
  });

  it('never shows the enroll secret: not in arguments, not in logs', async () => {
    const agent = startAgent();
    await untilHost((known) => known.orbit_version !== null);
    const processes = await laptop.run('/bin/ps', 'axww', '-o', 'args');
    expect(processes).toContain('--enroll_secret_env=ENROLL_SECRET');
    for (const text of [processes, agent.log(), server.log()]) expect(text).not.toContain(secret());
  });

  it('makes the token of the desktop page only where the desktop is asked for', async () => {
    startAgent({ ORBIT_FLEET_DESKTOP: 'true' });
    await until(() => existsSync(laptop.path('/opt/orbit/identifier')));
    expect(laptop.read('/opt/orbit/identifier')).toMatch(/^[0-9a-f-]{36}$/);
    await until(() => readFileSync(join(dir, 'state.json'), 'utf8').includes(laptop.read('/opt/orbit/identifier')));
  });

  it('goes through the proxy of its environment on the orbit plane', async () => {
    const agent = startAgent({ HTTPS_PROXY: 'http://10.77.1.20:9' });
    await until(() => agent.log().includes('proxyconnect tcp: dial tcp 10.77.1.20:9: connect: connection refused'));
    expect(await hosts()).toEqual([]);
  });

  it('keeps trying with a wrong secret, and logs it in orbit’s words', async () => {
    const agent = startAgent({ ORBIT_ENROLL_SECRET: 'yesterday' });
    await until(() => agent.log().includes('orbit enroll attempt failed error="unauthenticated, or invalid token"'));
    expect(await hosts()).toEqual([]);
  });

  it('makes a ghost host when the private CA is in the system store alone', async () => {
    await addToSystemStore(readFileSync(fleetFiles(dir).caPath, 'utf8'));
    const agent = startAgent({ ORBIT_FLEET_CERTIFICATE: '' });
    await until(() => agent.log().includes('(Request error: certificate verify failed) retrying...'));
    expect(laptop.read(NODE_KEY)).not.toBe('');
    expect(await hosts()).toMatchObject([{ status: 'offline', osquery_version: '', orbit_version: null }]);
  });

  it('trusts the given certificate alone: a CA of the system store does not help', async () => {
    await addToSystemStore(readFileSync(fleetFiles(dir).caPath, 'utf8'));
    const agent = startAgent({ ORBIT_FLEET_CERTIFICATE: '/opt/orbit/certs.pem' });
    await until(() => agent.log().includes('x509: certificate signed by unknown authority'));
    expect(await hosts()).toEqual([]);
  });

  it('stays offline with a server that enrolls orbit but not osquery, and recovers when it does', async () => {
    setBehaviour(dir, { refuseOsqueryEnroll: true });
    const agent = startAgent();
    await until(() => agent.log().includes('(No node key returned from TLS enroll plugin) retrying...'));
    expect(laptop.read(NODE_KEY)).not.toBe('');
    expect(await hosts()).toMatchObject([{ status: 'offline', osquery_version: '', orbit_version: null }]);
    setBehaviour(dir, { refuseOsqueryEnroll: false });
    await untilHost((known) => known.orbit_version !== null && known.status === 'online');
  });

  it('waits for the user when the server wants a login first, and enrolls ten seconds later', async () => {
    setBehaviour(dir, { endUserAuthRequired: true });
    const agent = startAgent();
    await until(() => agent.log().includes('orbit enroll attempt failed error="end user authentication required"'));
    setBehaviour(dir, { endUserAuthRequired: false });
    const host = await untilHost((known) => known.orbit_version !== null);
    expect(host.status).toBe('online');
  });

  it('leaves versions missing when details never arrive', async () => {
    setBehaviour(dir, { detailsNeverArrive: true });
    startAgent();
    const host = await untilHost((known) => known.status === 'online');
    expect(host).toMatchObject({ osquery_version: '5.18.1', orbit_version: null });
    expect(host.detail_updated_at).toBe('2000-01-01T00:00:00Z');
  });

  it.each([
    ['locks a host where scripts are enabled', 'true', 'locked'],
    ['cannot lock a host where they are not', 'false', 'unlocked'],
  ])('%s', async (_name, enabled, ends) => {
    const first = startAgent();
    const { id } = await untilHost((known) => known.orbit_version !== null);
    await first.stop();
    const asked = await rest('POST', `/hosts/${id}/lock`);
    expect(JSON.parse(asked.body)).toEqual({ device_status: 'unlocked', pending_action: 'lock' });
    startAgent({ ORBIT_ENABLE_SCRIPTS: enabled });
    const host = await untilHost((known) => known.mdm.pending_action === '');
    expect(host.mdm.device_status).toBe(ends);
  });

  it('overwrites the row of a host with the same UUID, and forgets that it was locked', async () => {
    const first = startAgent();
    const victim = await untilHost((known) => known.orbit_version !== null);
    await first.stop();
    const oldKey = laptop.read(NODE_KEY);
    await rest('POST', `/hosts/${victim.id}/lock`);
    await laptop.run('/usr/bin/dpkg', '--purge', 'fleet-osquery');
    await laptop.run('/usr/bin/dpkg', '-i', '/tmp/agent.deb');
    startAgent();
    const clone = await untilHost((known) => known.mdm.pending_action === '' && known.orbit_version !== null);
    expect(clone.id).toBe(victim.id);
    expect(await hosts()).toHaveLength(1);
    const asked = await curl('POST', '/api/fleet/orbit/config', '', JSON.stringify({ orbit_node_key: oldKey }));
    expect(asked.status).toBe(401);
  });

  it('needs its secret no more once both planes are enrolled', async () => {
    const first = startAgent();
    const { id } = await untilHost((known) => known.orbit_version !== null);
    await first.stop();
    await setSeenTimeAside();
    const second = startAgent({ ORBIT_ENROLL_SECRET: 'a-dummy' });
    expect(await untilHost((known) => known.status === 'online')).toMatchObject({ id });
    expect(second.log()).not.toMatch(/ERR|enroll attempt failed|Failed/);
  });

  it('enrolls again after its host was deleted, as fleetd does', async () => {
    startAgent();
    const { id } = await untilHost((known) => known.orbit_version !== null);
    expect(await rest('DELETE', `/hosts/${id}`)).toMatchObject({ status: 200 });
    const again = await untilHost((known) => known.id !== id && known.orbit_version !== null, 120_000);
    expect(again.status).toBe('online');
  });

  it('ends with an error, for systemd to start it again, on a machine without a hardware UUID', async () => {
    await laptop.setHardware({ ...HARDWARE, uuid: '' });
    const agent = startAgent();
    expect(await agent.ended).toBe(1);
    expect(agent.log()).toContain('hardware UUID is empty');
  });
});

function startAgent(change: Readonly<Record<string, string>> = {}): LaptopProcess {
  const agent = laptop.start('/opt/orbit/bin/orbit/orbit', {
    ORBIT_FLEET_URL: URL,
    ORBIT_ENROLL_SECRET: secret(),
    ORBIT_FLEET_CERTIFICATE: '/etc/fleet/ca.pem',
    ORBIT_DISABLE_UPDATES: 'true',
    ...change,
  });
  started.push(agent);
  return agent;
}

/** Lets the host look unseen for long, without waiting for it: the server starts again with that state. */
async function setSeenTimeAside(): Promise<void> {
  await server.stop();
  const path = join(dir, 'state.json');
  const state = readFileSync(path, 'utf8').replace(/"seenTime":"[^"]+"/g, '"seenTime":"2000-01-01T00:00:00Z"');
  writeFileSync(path, state, { mode: 0o600 });
  server = await startServer();
}

async function startServer(): Promise<LaptopProcess> {
  const fleet = laptop.startOnNetwork(process.execPath, SERVER, 'serve', '--dir', dir, '--listen', '10.77.1.20:8412');
  await until(() => fleet.log().includes('"type":"ready"'));
  return fleet;
}

/** What update-ca-certificates ends with, without its seconds. */
async function addToSystemStore(pem: string): Promise<void> {
  const bundle = '/etc/ssl/certs/ca-certificates.crt';
  await laptop.write(bundle, `${laptop.read(bundle)}${pem}`);
}

function secret(): string {
  return readFileSync(fleetFiles(dir).enrollSecretPath, 'utf8').trim();
}

function curl(method: string, path: string, header = '', body = ''): Promise<{ status: number; body: string }> {
  return laptop.curl(
    [
      `url = "${URL}${path}"`,
      `request = "${method}"`,
      `cacert = "${fleetFiles(dir).caPath}"`,
      ...(header === '' ? [] : [`header = "${header}"`]),
      ...(body === '' ? [] : [`data = ${JSON.stringify(body)}`]),
    ].join('\n'),
  );
}

function rest(method: string, path: string): Promise<{ status: number; body: string }> {
  const token = readFileSync(fleetFiles(dir).apiTokenPath, 'utf8').trim();
  return curl(method, `/api/v1/fleet${path}`, `Authorization: Bearer ${token}`);
}

async function hosts(): Promise<HostAnswer[]> {
  const answer = await rest('GET', `/hosts?query=${HARDWARE.serial}`);
  return (JSON.parse(answer.body) as { hosts: HostAnswer[] }).hosts;
}

async function untilHost(holds: (host: HostAnswer) => boolean, deadlineMs = 120_000): Promise<HostAnswer> {
  let found: HostAnswer | undefined;
  await until(async () => {
    const answer = await rest('GET', `/hosts/identifier/${HARDWARE.uuid}`);
    const host = answer.status === 200 ? (JSON.parse(answer.body) as { host: HostAnswer }).host : undefined;
    found = host && holds(host) ? host : undefined;
    return found !== undefined;
  }, deadlineMs);
  if (!found) throw new Error('unreachable');
  return found;
}

async function until(holds: () => boolean | Promise<boolean>, deadlineMs = 120_000): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await holds())) {
    if (Date.now() > deadline) {
      throw new Error(`not so after ${deadlineMs} ms\n${started.map((process) => process.log()).join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
