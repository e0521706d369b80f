import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { systemClock } from '../../../../src/core/clock.ts';
import { createFleetClient, type FleetClient } from '../../../../src/slice/fleet/fleet-client.ts';
import type { SliceContext } from '../../../../src/slice/slice-context.ts';
import { forgetFleetHosts } from '../../../../src/slice/upkeep/forget-fleet-hosts.ts';
import { buildServer } from '../../../fakes/fleet/server/build-server.ts';
import { prepareCertificates } from '../../../fakes/fleet/server/certificates.ts';
import { fleetFiles, prepareFleetFiles } from '../../../fakes/fleet/server/files.ts';
import { HARDWARE } from '../../fakes/fleet/started-server.ts';

let dir: string;
let app: FastifyInstance;
let client: FleetClient;
let enrollSecret: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'fleet-hosts-'));
  const files = prepareFleetFiles(dir);
  enrollSecret = files.enrollSecret;
  const tls = prepareCertificates(dir, ['localhost']);
  app = buildServer({ dir, tls, logLevel: 'silent' });
  await app.listen({ host: '127.0.0.1', port: 0 });
  client = clientWith(files.apiToken);
});
afterEach(async () => {
  await client.close();
  await app.close();
  rmSync(dir, { recursive: true, force: true });
});

function clientWith(apiToken: string): FleetClient {
  const { port } = app.server.address() as AddressInfo;
  const serverCa = readFileSync(fleetFiles(dir).caPath, 'utf8');
  const config = { url: `https://localhost:${port}`, serverCa, apiToken, enrollSecret, packages: [] };
  return createFleetClient(config, systemClock);
}

const { uuid, serial } = HARDWARE;
const post = (url: string, body: object): Promise<unknown> =>
  app.inject({ method: 'POST', url, payload: JSON.stringify({ enroll_secret: enrollSecret, ...body }) });
async function enrollAgent(hardwareSerial = serial): Promise<void> {
  await post('/api/fleet/orbit/enroll', {
    ...{ hardware_uuid: uuid, hardware_serial: hardwareSerial, hostname: 'lap-42', computer_name: 'lap-42' },
    ...{ platform: 'ubuntu', platform_like: 'debian', osquery_identifier: '', hardware_model: 'Kiwi 14' },
  });
  await post('/api/v1/osquery/enroll', {
    ...{ host_identifier: uuid, platform_type: '9' },
    host_details: {
      os_version: { name: 'Ubuntu', version: '24.04', platform: 'ubuntu', platform_like: 'debian' },
      osquery_info: { version: '5.18.1' },
      system_info: { uuid, hardware_serial: hardwareSerial, hostname: 'lap-42' },
    },
  });
}
const known = async (): Promise<boolean> => (await client.look({ uuid, serial, since: Math.random() })).known;
const MINUTE = 60_000;
/** A device that was granted a minute ago and ends in a minute. */
const around = { since: Date.now() - MINUTE, until: Date.now() + MINUTE };

describe('the host of a laptop that has ended', () => {
  it('is deleted in Fleet, and deleting it again is fine', async () => {
    await enrollAgent();
    expect(await known()).toBe(true);
    await client.forget({ uuid, serial, ...around });
    expect(await known()).toBe(false);
    await client.forget({ uuid, serial, ...around });
  });

  it('stays when it is another laptop, was in Fleet before, or enrolled in Fleet since', async () => {
    await enrollAgent();
    await client.forget({ uuid, serial: 'another', ...around });
    await client.forget({ uuid, serial, since: Date.now() + MINUTE, until: Date.now() + 2 * MINUTE });
    await client.forget({ uuid, serial, since: 0, until: Date.now() - MINUTE });
    await client.forget({ uuid: undefined, serial: undefined, ...around });
    expect(await known()).toBe(true);
  });

  it.each([
    ['several blanks', 'PF  3A BC12', 'PF 3A BC12'],
    ['control characters', 'PF3A\u0001BC12', 'PF3A BC12'],
    ['a blank at the beginning', ' PF3ABC12', 'PF3ABC12'],
    ['150 characters', '0123456789'.repeat(15), '0123456789'.repeat(15).slice(0, 128)],
  ])('is found when Fleet has its serial number in another spelling: %s', async (_, reported, stated) => {
    await enrollAgent(reported);
    expect(await client.look({ uuid, serial: stated, since: 0 })).toMatchObject({ known: true });
    await client.forget({ uuid, serial: `x${stated}`, ...around });
    expect(await known()).toBe(false);
    expect(await client.look({ uuid, serial: stated, since: 1 })).toMatchObject({ known: true });
    await client.forget({ uuid, serial: stated, ...around });
    expect(await client.look({ uuid, serial: stated, since: 2 })).toMatchObject({ known: false });
  });

  it('is not looked for by a serial number that would lead elsewhere in Fleet’s API', async () => {
    const asked: string[] = [];
    app.server.on('request', (request: { url?: string }) => asked.push(request.url ?? ''));
    for (const dots of ['.', '..']) {
      await client.forget({ uuid: undefined, serial: dots, ...around });
      expect(await client.look({ uuid: undefined, serial: dots, since: 0 })).toMatchObject({
        reachable: true,
        known: false,
      });
    }
    await client.forget({ uuid: undefined, serial: '../../x', ...around });
    expect(asked).toEqual(['/api/v1/fleet/hosts/identifier/..%2F..%2Fx']);
  });

  it('is tried again when Fleet refuses', async () => {
    await enrollAgent();
    const stranger = clientWith('another token');
    await expect(stranger.forget({ uuid, serial, ...around })).rejects.toThrow(/401/);
    await stranger.close();
    expect(await known()).toBe(true);
  });
});

describe('the duty to forget hosts', () => {
  const DAY = 86_400_000;
  interface Given {
    readonly id: string;
    readonly endedDaysAgo: number;
    readonly twin?: boolean;
    readonly fails?: boolean;
    readonly grantedAt?: null;
  }
  /** One round. @returns what was done for each device, in the order of their ids */
  const run = async (given: readonly Given[], reachable = true): Promise<string[]> => {
    const did: string[] = [];
    const devices = given.map((entry) => {
      const endedAt = Date.now() - entry.endedDaysAgo * DAY;
      return { host: { uuid: entry.id, serial }, hostName: 'h', endedAt, createdAt: 0, grantedAt: 0, ...entry };
    });
    const of = (id: string | undefined): Given | undefined => given.find((entry) => entry.id === id);
    const slice = {
      clock: systemClock,
      log: pino({ level: 'silent' }),
      registry: {
        listDuties: () => Promise.resolve(devices),
        findLiveTwin: (host: { uuid: string }) => Promise.resolve(of(host.uuid)?.twin === true ? {} : undefined),
        markDone: (id: string) => Promise.resolve(void did.push(`${id} done`)),
        findAlarm: () => Promise.resolve(false),
        raiseAlarm: (entry: { deviceId: string }) => Promise.resolve(void did.push(`${entry.deviceId} alarm`)),
      },
      fleet: {
        client: {
          reachable: () => Promise.resolve(reachable),
          forget: (question: { uuid: string }) => {
            did.push(`${question.uuid} forget`);
            return of(question.uuid)?.fails === true ? Promise.reject(new Error('403')) : Promise.resolve();
          },
        },
      },
    } as unknown as SliceContext;
    await forgetFleetHosts(slice).catch(() => did.push('failed'));
    return did.sort();
  };

  it('is done once, and skipped while the same machine is enrolled again, and without a grant', async () => {
    expect(await run([{ id: 'a', endedDaysAgo: 0 }])).toEqual(['a done', 'a forget']);
    expect(await run([{ id: 'a', endedDaysAgo: 0, twin: true }])).toEqual(['a done']);
    expect(await run([{ id: 'a', endedDaysAgo: 0, grantedAt: null }])).toEqual(['a done']);
  });

  it('is retried when it fails; an operator is told after an hour, and it is given up after a week', async () => {
    expect(await run([{ id: 'a', endedDaysAgo: 0, fails: true }])).toEqual(['a forget']);
    expect(await run([{ id: 'a', endedDaysAgo: 1, fails: true }])).toEqual(['a alarm', 'a forget']);
    expect(await run([{ id: 'a', endedDaysAgo: 8, fails: true }])).toEqual(['a alarm', 'a done', 'a forget']);
  });

  it('is done for the others when Fleet refuses one, and for none when Fleet does not answer', async () => {
    const refused = { id: 'a', endedDaysAgo: 0, fails: true };
    const others = ['b', 'c'].map((id) => ({ id, endedDaysAgo: 0 }));
    for (let round = 0; round < 5; round++) {
      expect(await run([refused, ...others])).toEqual(['a forget', 'b done', 'b forget', 'c done', 'c forget']);
    }
    const all = [refused, ...others].map((entry) => ({ ...entry, fails: true }));
    expect((await run(all, false)).filter((did) => did.endsWith('forget'))).toHaveLength(1);
  });

  it('comes to each in time, however many Fleet refuses', async () => {
    const refused = Array.from({ length: 60 }, (_, n) => ({ id: `r${n}`, endedDaysAgo: 0, fails: true }));
    for (let round = 0; ; round++) {
      if ((await run([...refused, { id: 'good', endedDaysAgo: 0 }])).includes('good done')) return;
      expect(round).toBeLessThan(200);
    }
  });
});
