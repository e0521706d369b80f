import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { buildServer } from '../../../fakes/fleet/server/build-server.ts';
import { prepareCertificates } from '../../../fakes/fleet/server/certificates.ts';
import { prepareFleetFiles } from '../../../fakes/fleet/server/files.ts';

export const HARDWARE = { uuid: '4c4c4544-0042-3510-8052-c4c04f564231', serial: 'KW-0042' };

/** A stand-in asked in memory: nothing listens. */
export class StartedServer {
  readonly app: FastifyInstance;
  readonly enrollSecret: string;
  readonly #apiToken: string;

  constructor(dir: string) {
    const { enrollSecret, apiToken } = prepareFleetFiles(dir);
    this.enrollSecret = enrollSecret;
    this.#apiToken = apiToken;
    this.app = buildServer({ dir, tls: prepareCertificates(dir, ['fleet.corp.example']), logLevel: 'silent' });
  }

  post(url: string, body: unknown): Promise<LightMyRequestResponse> {
    return this.app.inject({ method: 'POST', url, payload: JSON.stringify(body) });
  }

  rest(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<LightMyRequestResponse> {
    return this.app.inject({
      method,
      url: `/api/v1/fleet${path}`,
      headers: { authorization: `Bearer ${this.#apiToken}` },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
  }

  enrollOrbit(change: Readonly<Record<string, string>> = {}): Promise<LightMyRequestResponse> {
    return this.post('/api/fleet/orbit/enroll', {
      enroll_secret: this.enrollSecret,
      hardware_uuid: HARDWARE.uuid,
      hardware_serial: HARDWARE.serial,
      hostname: 'lap-42',
      platform: 'ubuntu',
      platform_like: 'debian',
      osquery_identifier: '',
      computer_name: 'lap-42',
      hardware_model: 'Kiwi 14',
      ...change,
    });
  }

  enrollOsquery(change: Readonly<Record<string, unknown>> = {}): Promise<LightMyRequestResponse> {
    return this.post('/api/v1/osquery/enroll', {
      enroll_secret: this.enrollSecret,
      host_identifier: HARDWARE.uuid,
      platform_type: '9',
      host_details: {
        os_version: { name: 'Ubuntu', version: '24.04', platform: 'ubuntu', platform_like: 'debian' },
        osquery_info: { version: '5.18.1' },
        system_info: { uuid: HARDWARE.uuid, hardware_serial: HARDWARE.serial, hostname: 'lap-42' },
      },
      ...change,
    });
  }

  async host(identifier = HARDWARE.uuid): Promise<Record<string, unknown>> {
    const answer = await this.rest('GET', `/hosts/identifier/${identifier}`);
    return answer.json<{ host: Record<string, unknown> }>().host;
  }
}
