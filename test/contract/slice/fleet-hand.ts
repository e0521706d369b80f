import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { FastifyInstance } from 'fastify';

import type { FleetConfig } from '../../../src/slice/config/fleet-config.ts';
import { setBehaviour, type Behaviour } from '../../fakes/fleet/server/behaviour.ts';
import { buildServer } from '../../fakes/fleet/server/build-server.ts';
import { prepareCertificates } from '../../fakes/fleet/server/certificates.ts';
import { fleetFiles, prepareFleetFiles } from '../../fakes/fleet/server/files.ts';
import type { Laptop } from '../../fakes/slice/test-laptop.ts';

/** A Fleet server on loopback, and the agents of laptops at it. */
export class FleetHand {
  readonly config: FleetConfig;
  readonly #dir: string;
  readonly #app: FastifyInstance;
  readonly #nodeKeys = new Map<string, string>();

  private constructor(dir: string, app: FastifyInstance, config: FleetConfig) {
    this.#dir = dir;
    this.#app = app;
    this.config = config;
  }

  static async start(): Promise<FleetHand> {
    const dir = mkdtempSync(path.join(tmpdir(), 'kiwi-fleet-'));
    const { enrollSecret, apiToken } = prepareFleetFiles(dir);
    const app = buildServer({ dir, tls: prepareCertificates(dir, ['localhost']), logLevel: 'silent' });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const serverCa = readFileSync(fleetFiles(dir).caPath, 'utf8');
    return new FleetHand(dir, app, {
      url: `https://localhost:${port}`,
      ...{ serverCa, apiToken, enrollSecret, packages: [] },
    });
  }

  behave(change: Partial<Behaviour>): void {
    setBehaviour(this.#dir, change);
  }

  /** The agent of a laptop enrolls. @returns its status codes: orbit's, osquery's */
  async enrollAgent({ machine, hostName }: Laptop, enrollSecret: string): Promise<readonly [number, number]> {
    const [uuid, serial] = [String(machine.uuid), String(machine['system-serial'])];
    const orbit = await this.#post('/api/fleet/orbit/enroll', {
      ...{ enroll_secret: enrollSecret, hardware_uuid: uuid, hardware_serial: serial, hostname: hostName },
      ...{ computer_name: hostName, platform: 'ubuntu', platform_like: 'debian', hardware_model: 'Kiwi 14' },
    });
    if (orbit.statusCode === 200) this.#nodeKeys.set(uuid, orbit.json<{ orbit_node_key: string }>().orbit_node_key);
    const osquery = await this.#post('/api/v1/osquery/enroll', {
      ...{ enroll_secret: enrollSecret, host_identifier: uuid, platform_type: '9' },
      host_details: {
        os_version: { name: 'Ubuntu', version: '24.04', platform: 'ubuntu', platform_like: 'debian' },
        osquery_info: { version: '5.18.1' },
        system_info: { uuid, hardware_serial: serial, hostname: hostName },
      },
    });
    return [orbit.statusCode, osquery.statusCode];
  }

  /** The laptop is online: its agent runs what Fleet has for it. @returns how many scripts */
  async online({ machine }: Laptop, exitCode = 0): Promise<number> {
    const orbit_node_key = this.#nodeKeys.get(String(machine.uuid)) ?? '';
    const { notifications } = (await this.#post('/api/fleet/orbit/config', { orbit_node_key })).json<{
      notifications: { pending_script_execution_ids?: string[] };
    }>();
    const ids = notifications.pending_script_execution_ids ?? [];
    for (const execution_id of ids) {
      await this.#post('/api/fleet/orbit/scripts/result', { orbit_node_key, execution_id, exit_code: exitCode });
    }
    return ids.length;
  }

  /** What Fleet has of a laptop. */
  async host({ machine }: Laptop): Promise<{ device_status: string; pending_action: string } | undefined> {
    const answer = await this.#app.inject({
      method: 'GET',
      url: `/api/v1/fleet/hosts/identifier/${String(machine.uuid)}`,
      headers: { authorization: `Bearer ${this.config.apiToken}` },
    });
    if (answer.statusCode === 404) return undefined;
    return answer.json<{ host: { mdm: { device_status: string; pending_action: string } } }>().host.mdm;
  }

  async remove(): Promise<void> {
    await this.#app.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #post(url: string, body: object) {
    return this.#app.inject({ method: 'POST', url, payload: JSON.stringify(body) });
  }
}
