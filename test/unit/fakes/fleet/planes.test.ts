import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setBehaviour } from '../../../fakes/fleet/server/behaviour.ts';
import { HARDWARE, StartedServer } from './started-server.ts';

let dir: string;
let fleet: StartedServer;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fleet-planes-'));
  fleet = new StartedServer(dir);
});
afterEach(async () => {
  vi.useRealTimers();
  await fleet.app.close();
  rmSync(dir, { recursive: true, force: true });
});

const FAILED = {
  message: 'Authentication failed',
  errors: [{ name: 'base', reason: 'Authentication failed' }],
};
const REQUIRED = {
  message: 'Authentication required',
  errors: [{ name: 'base', reason: 'Authentication required' }],
};

describe('the orbit plane', () => {
  it('answers a ping without authentication and tells its capabilities', async () => {
    const answer = await fleet.app.inject({ method: 'HEAD', url: '/api/fleet/orbit/ping' });
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toBe('');
    expect(answer.headers['x-fleet-capabilities']).toBe(
      'orbit_endpoints,token_rotation,end_user_email,setup_experience',
    );
  });

  it('gives a node key for the secret, and a configuration for the node key', async () => {
    const enrolled = await fleet.enrollOrbit();
    expect(enrolled.statusCode).toBe(200);
    const { orbit_node_key } = enrolled.json<{ orbit_node_key: string }>();
    expect(orbit_node_key).toHaveLength(32);
    const config = await fleet.post('/api/fleet/orbit/config', { orbit_node_key });
    expect(config.json()).toEqual({
      script_execution_timeout: 300,
      command_line_startup_flags: null,
      notifications: {},
      update_channels: null,
    });
    const token = await fleet.post('/api/fleet/orbit/device_token', { orbit_node_key, device_auth_token: 'token' });
    expect(token.statusCode).toBe(200);
  });

  it.each([
    ['a wrong secret', { enroll_secret: 'wrong' }, {}, 401, FAILED],
    ['no secret', { enroll_secret: '' }, {}, 401, FAILED],
    ['every enrollment when told to', {}, { refuseOrbitEnroll: true }, 401, FAILED],
    [
      'an enrollment without a login when it wants one',
      {},
      { endUserAuthRequired: true },
      401,
      { message: 'END_USER_AUTH_REQUIRED', errors: [{ name: 'base', reason: 'END_USER_AUTH_REQUIRED' }] },
    ],
    [
      'a machine without a UUID, with a fault of its own',
      { hardware_uuid: '' },
      {},
      500,
      {
        message: 'failed to enroll hardware uuid is empty',
        errors: [{ name: 'base', reason: 'failed to enroll hardware uuid is empty' }],
      },
    ],
  ])('refuses %s', async (_what, request, behaviour, status, body) => {
    setBehaviour(dir, behaviour);
    const answer = await fleet.enrollOrbit(request);
    expect([answer.statusCode, answer.json()]).toEqual([status, body]);
    expect((await fleet.rest('GET', '/hosts')).json()).toEqual({ hosts: [] });
  });

  it.each(['config', 'device_token', 'scripts/request', 'scripts/result'])(
    'refuses %s without a valid node key',
    async (path) => {
      for (const body of [{}, { orbit_node_key: '' }, { orbit_node_key: 'unknown' }]) {
        const answer = await fleet.post(`/api/fleet/orbit/${path}`, body);
        expect([answer.statusCode, answer.json()]).toEqual([401, REQUIRED]);
      }
    },
  );

  it('never makes a host online by itself', async () => {
    const { orbit_node_key } = (await fleet.enrollOrbit()).json<{ orbit_node_key: string }>();
    await fleet.post('/api/fleet/orbit/config', { orbit_node_key });
    expect(await fleet.host()).toMatchObject({
      status: 'offline',
      seen_time: '2000-01-01T00:00:00Z',
      last_enrolled_at: '2000-01-01T00:00:00Z',
      osquery_version: '',
      orbit_version: null,
    });
  });
});

describe.each(['/api/osquery', '/api/v1/osquery'])('the osquery plane under %s', (plane) => {
  it('refuses a wrong secret and unknown node keys in the form that osqueryd reads', async () => {
    const enroll = await fleet.post(`${plane}/enroll`, { enroll_secret: 'wrong', host_identifier: 'x' });
    expect([enroll.statusCode, enroll.json()]).toEqual([
      401,
      { error: 'enroll failed: no matching secret found', node_invalid: true },
    ]);
    for (const path of ['config', 'distributed/read', 'distributed/write']) {
      const answer = await fleet.post(`${plane}/${path}`, { node_key: 'unknown' });
      expect([answer.statusCode, answer.json()]).toEqual([
        401,
        { error: 'authentication error: invalid node key: unknown', node_invalid: true },
      ]);
    }
    const log = await fleet.post(`${plane}/log`, { node_key: '', log_type: 'status', data: [] });
    expect([log.statusCode, log.json()]).toEqual([
      401,
      { error: 'authentication error: missing node key', node_invalid: true },
    ]);
  });

  it('asks for details at once, takes the answers, and then is content for an hour', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T10:00:00Z') });
    await fleet.enrollOrbit();
    const { node_key } = (await fleet.enrollOsquery()).json<{ node_key: string }>();
    const read = await fleet.post(`${plane}/distributed/read`, { node_key });
    const work = read.json<{ queries: Record<string, string>; accelerate: number }>();
    expect(work.accelerate).toBe(10);
    expect(Object.keys(work.queries)).toContain('fleet_detail_query_orbit_info');
    await fleet.post(`${plane}/distributed/write`, {
      node_key,
      queries: { fleet_detail_query_orbit_info: [{ version: '1.48.0' }], fleet_detail_query_uptime: '' },
      statuses: { fleet_detail_query_orbit_info: 0, fleet_detail_query_uptime: '1' },
      messages: {},
    });
    expect(await fleet.host()).toMatchObject({
      status: 'online',
      osquery_version: '5.18.1',
      orbit_version: '1.48.0',
      detail_updated_at: '2026-03-01T10:00:00Z',
    });
    const idle = { queries: {}, discovery: {} };
    expect((await fleet.post(`${plane}/distributed/read`, { node_key })).json()).toEqual(idle);
    vi.setSystemTime(Date.parse('2026-03-01T11:00:01Z'));
    expect((await fleet.post(`${plane}/distributed/read`, { node_key })).json()).not.toEqual(idle);
  });

  it('takes nothing from a query that failed', async () => {
    const { node_key } = (await fleet.enrollOsquery()).json<{ node_key: string }>();
    await fleet.post(`${plane}/distributed/write`, {
      node_key,
      queries: { fleet_detail_query_orbit_info: [{ version: '9' }], fleet_detail_query_unheard_of: [{ a: 'b' }] },
      statuses: { fleet_detail_query_orbit_info: 1, fleet_detail_query_unheard_of: 0 },
    });
    expect(await fleet.host()).toMatchObject({ orbit_version: null, detail_updated_at: '2000-01-01T00:00:00Z' });
  });
});

describe('a host', () => {
  it('goes offline a minute after osquery was seen last', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T10:00:00Z') });
    const { node_key } = (await fleet.enrollOsquery()).json<{ node_key: string }>();
    expect(await fleet.host()).toMatchObject({ status: 'online' });
    vi.setSystemTime(Date.parse('2026-03-01T10:01:00Z'));
    expect(await fleet.host()).toMatchObject({ status: 'offline', seen_time: '2026-03-01T10:00:00Z' });
    await fleet.post('/api/v1/osquery/config', { node_key });
    expect(await fleet.host()).toMatchObject({ status: 'online', seen_time: '2026-03-01T10:01:00Z' });
  });

  it('has times in whole seconds, cut off: right after an enrollment they may lie before it', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T10:00:00.999Z') });
    await fleet.enrollOsquery();
    expect(await fleet.host()).toMatchObject({ last_enrolled_at: '2026-03-01T10:00:00Z' });
  });

  it('is one row for both planes, and one row for a clone with the same UUID', async () => {
    const first = (await fleet.enrollOrbit()).json<{ orbit_node_key: string }>();
    await fleet.enrollOsquery();
    const { id } = await fleet.host();
    expect((await fleet.rest('POST', `/hosts/${String(id)}/lock`)).statusCode).toBe(200);
    await fleet.enrollOrbit({ hostname: 'the-clone' });
    expect(await fleet.host()).toMatchObject({
      id,
      hostname: 'the-clone',
      mdm: { device_status: 'unlocked', pending_action: '' },
    });
    const old = await fleet.post('/api/fleet/orbit/config', first);
    expect(old.statusCode).toBe(401);
  });

  it('is two rows where two machines share a serial number, and the identifier finds the older', async () => {
    await fleet.enrollOrbit();
    await fleet.enrollOrbit({ hardware_uuid: 'another', hostname: 'lap-43' });
    expect(await fleet.host(HARDWARE.serial)).toMatchObject({ hostname: 'lap-42' });
    const list = await fleet.rest('GET', `/hosts?query=${HARDWARE.serial}`);
    expect(list.json<{ hosts: { hostname: string }[] }>().hosts.map((host) => host.hostname)).toEqual([
      'lap-42',
      'lap-43',
    ]);
  });
});
