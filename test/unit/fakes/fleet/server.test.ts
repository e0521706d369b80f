import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBehaviour, setBehaviour } from '../../../fakes/fleet/server/behaviour.ts';
import { prepareCertificates } from '../../../fakes/fleet/server/certificates.ts';
import { fleetFiles } from '../../../fakes/fleet/server/files.ts';
import { HARDWARE, StartedServer } from './started-server.ts';

let dir: string;
let fleet: StartedServer;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fleet-server-'));
  fleet = new StartedServer(dir);
});
afterEach(async () => {
  await fleet.app.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('the REST API', () => {
  it.each([
    ['GET', '/hosts'],
    ['GET', `/hosts/identifier/${HARDWARE.uuid}`],
    ['DELETE', '/hosts/1'],
    ['POST', '/hosts/1/lock'],
    ['GET', '/spec/enroll_secret'],
    ['POST', '/spec/enroll_secret'],
  ] as const)('refuses %s %s without the token', async (method, path) => {
    for (const authorization of [undefined, 'Bearer wrong']) {
      const answer = await fleet.app.inject({
        method,
        url: `/api/v1/fleet${path}`,
        headers: authorization === undefined ? {} : { authorization },
      });
      expect([answer.statusCode, answer.json<{ message: string }>().message]).toEqual([401, 'Authentication required']);
    }
  });

  it('finds a host by name, UUID and serial number, and says plainly when there is none', async () => {
    await fleet.enrollOrbit();
    for (const identifier of ['lap-42', HARDWARE.uuid, HARDWARE.serial]) {
      expect(await fleet.host(identifier)).toMatchObject({ hardware_serial: HARDWARE.serial });
    }
    const none = await fleet.rest('GET', '/hosts/identifier/unknown');
    expect([none.statusCode, none.json()]).toEqual([
      404,
      {
        message: 'Resource Not Found',
        errors: [{ name: 'base', reason: 'Host was not found in the datastore' }],
      },
    ]);
  });

  it('deletes a host, whose node keys then are worth nothing', async () => {
    const orbit = (await fleet.enrollOrbit()).json<{ orbit_node_key: string }>();
    const osquery = (await fleet.enrollOsquery()).json<{ node_key: string }>();
    expect((await fleet.rest('DELETE', '/hosts/1')).statusCode).toBe(200);
    expect((await fleet.rest('DELETE', '/hosts/1')).statusCode).toBe(404);
    expect((await fleet.post('/api/fleet/orbit/config', orbit)).statusCode).toBe(401);
    expect((await fleet.post('/api/v1/osquery/config', osquery)).statusCode).toBe(401);
  });

  it('locks, unlocks and wipes through scripts that orbit fetches', async () => {
    const { orbit_node_key } = (await fleet.enrollOrbit()).json<{ orbit_node_key: string }>();
    for (const [action, becomes] of [
      ['lock', 'locked'],
      ['unlock', 'unlocked'],
      ['wipe', 'wiped'],
    ] as const) {
      expect((await fleet.rest('POST', `/hosts/1/${action}`)).statusCode).toBe(200);
      expect((await fleet.rest('POST', `/hosts/1/${action}`)).statusCode).toBe(422);
      const config = (await fleet.post('/api/fleet/orbit/config', { orbit_node_key })).json<{
        notifications: { pending_script_execution_ids: string[] };
      }>();
      const [execution_id] = config.notifications.pending_script_execution_ids;
      const script = await fleet.post('/api/fleet/orbit/scripts/request', { orbit_node_key, execution_id });
      expect(script.json()).toMatchObject({ execution_id, exit_code: null });
      await fleet.post('/api/fleet/orbit/scripts/result', { orbit_node_key, execution_id, exit_code: 0, output: '' });
      expect(await fleet.host()).toMatchObject({ mdm: { device_status: becomes, pending_action: '' } });
    }
  });

  it('replaces the whole list of enroll secrets', async () => {
    const body = { spec: { secrets: [{ secret: 'new-one' }, { secret: 'new-two' }] } };
    expect((await fleet.rest('POST', '/spec/enroll_secret', body)).statusCode).toBe(200);
    expect((await fleet.rest('GET', '/spec/enroll_secret')).json()).toMatchObject(body);
    expect((await fleet.enrollOrbit()).statusCode).toBe(401);
    expect((await fleet.enrollOrbit({ enroll_secret: 'new-two' })).statusCode).toBe(200);
    expect(readFileSync(fleetFiles(dir).enrollSecretPath, 'utf8')).toBe('new-one\n');
  });
});

describe('the server', () => {
  it('keeps its state: node keys and secrets survive a restart', async () => {
    const orbit = (await fleet.enrollOrbit()).json<{ orbit_node_key: string }>();
    await Promise.all([fleet.enrollOsquery(), fleet.enrollOrbit({ hardware_uuid: 'another' })]);
    await fleet.app.close();
    fleet = new StartedServer(dir);
    expect((await fleet.post('/api/fleet/orbit/config', orbit)).statusCode).toBe(200);
    expect((await fleet.rest('GET', '/hosts')).json<{ hosts: unknown[] }>().hosts).toHaveLength(2);
  });

  it('keeps what is secret readable by its owner only', async () => {
    await fleet.enrollOrbit();
    for (const name of ['enroll-secret', 'api-token', 'ca.key', 'server.key', 'state.json']) {
      expect(statSync(join(dir, name)).mode & 0o077, name).toBe(0);
    }
  });

  it('answers everything with 503 while it is down, and is back as soon as it is not', async () => {
    expect((await fleet.app.inject('/healthz')).statusCode).toBe(200);
    setBehaviour(dir, { down: true });
    expect((await fleet.app.inject('/healthz')).statusCode).toBe(503);
    expect((await fleet.enrollOrbit()).statusCode).toBe(503);
    setBehaviour(dir, { down: false });
    expect((await fleet.enrollOrbit()).statusCode).toBe(200);
  });

  it.each([
    ['/api/fleet/orbit/enroll', '{', 400],
    ['/api/fleet/orbit/enroll', '[]', 400],
    ['/api/fleet/orbit/enroll', '{"hardware_uuid":7}', 400],
    ['/api/v1/osquery/distributed/write', '{"queries":{"a":[{"b":1}]}}', 400],
    ['/api/v1/osquery/log', JSON.stringify({ data: 'x'.repeat(1024 * 1024) }), 413],
    ['/api/fleet/orbit/unheard-of', '{}', 404],
  ])('refuses a bad request to %s', async (url, payload, status) => {
    expect((await fleet.app.inject({ method: 'POST', url, payload })).statusCode).toBe(status);
  });

  it('refuses a behaviour that it does not know', () => {
    setBehaviour(dir, { down: true });
    setBehaviour(dir, { refuseOsqueryEnroll: true });
    expect(readBehaviour(dir)).toMatchObject({ down: true, refuseOsqueryEnroll: true, refuseOrbitEnroll: false });
    writeFileSync(join(dir, 'behaviour.json'), '{"dwon":true}');
    expect(() => readBehaviour(dir)).toThrow('dwon');
  });

  it('has a certificate for its names from a CA that outlives it', () => {
    const names = ['10.77.1.20', 'fleet.corp.example', 'localhost'];
    const ca = new X509Certificate(readFileSync(fleetFiles(dir).caPath));
    const first = new X509Certificate(prepareCertificates(dir, names).cert);
    expect(first.checkIP('10.77.1.20')).toBe('10.77.1.20');
    expect(first.checkHost('fleet.corp.example')).toBe('fleet.corp.example');
    expect(first.checkIssued(ca) && first.verify(ca.publicKey)).toBe(true);
    expect([ca.ca, first.ca]).toEqual([true, false]);
    expect(new X509Certificate(prepareCertificates(dir, names).cert).serialNumber).toBe(first.serialNumber);
    const wider = new X509Certificate(prepareCertificates(dir, [...names, 'more.example']).cert);
    expect(wider.checkHost('more.example')).toBe('more.example');
    expect(wider.verify(ca.publicKey)).toBe(true);
  });
});
