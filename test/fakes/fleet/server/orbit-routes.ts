import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Behaviour } from './behaviour.ts';
import { newNodeKey, now, type Host, type HostStore } from './host-store.ts';
import {
  authenticationFailed,
  authenticationRequired,
  endUserAuthRequired,
  notFound,
  refusal,
  sendJson,
} from './refusals.ts';

/** What this server can do, told to orbit in every answer to ping and enroll. */
const CAPABILITIES = 'orbit_endpoints,token_rotation,end_user_email,setup_experience';

// Go's decoder ignores fields it does not know and takes missing ones as empty; so do these schemas.
const enrollRequest = z.object({
  enroll_secret: z.string().default(''),
  hardware_uuid: z.string().default(''),
  hardware_serial: z.string().default(''),
  hostname: z.string().default(''),
  platform: z.string().default(''),
  platform_like: z.string().default(''),
  osquery_identifier: z.string().default(''),
  computer_name: z.string().default(''),
  hardware_model: z.string().default(''),
});
const nodeKeyRequest = z.object({ orbit_node_key: z.string().default('') });
const deviceTokenRequest = nodeKeyRequest.extend({ device_auth_token: z.string().default('') });
const scriptRequest = nodeKeyRequest.extend({ execution_id: z.string().default('') });
const scriptResult = scriptRequest.extend({
  exit_code: z.int().default(0),
  output: z.string().default(''),
  runtime: z.number().default(0),
});

/** The plane orbit itself speaks: enrollment, configuration every 30 s, scripts. It never makes a host "seen". */
export function addOrbitRoutes(app: FastifyInstance, store: HostStore, behaviour: () => Behaviour): void {
  app.head('/api/fleet/orbit/ping', (_request, reply) => reply.header('x-fleet-capabilities', CAPABILITIES).send());

  app.post('/api/fleet/orbit/enroll', async (request, reply) => {
    const asked = enrollRequest.parse(request.body);
    const { endUserAuthRequired: loginFirst, refuseOrbitEnroll } = behaviour();
    if (!store.acceptsSecret(asked.enroll_secret) || refuseOrbitEnroll) throw authenticationFailed();
    if (loginFirst) throw endUserAuthRequired();
    if (asked.hardware_uuid === '') throw refusal(500, 'failed to enroll hardware uuid is empty');
    const host = store.rowForEnrollment(asked.osquery_identifier || asked.hardware_uuid);
    host.orbitNodeKey = newNodeKey();
    host.uuid = asked.hardware_uuid;
    host.hardwareSerial = asked.hardware_serial;
    host.hostname = asked.hostname || host.hostname;
    host.computerName = asked.computer_name || asked.hostname;
    host.hardwareModel = asked.hardware_model;
    host.platform = asked.platform;
    host.platformLike = asked.platform_like;
    host.updatedAt = now();
    await store.save();
    reply.header('x-fleet-capabilities', CAPABILITIES);
    return sendJson(reply, 200, { orbit_node_key: host.orbitNodeKey });
  });

  app.post('/api/fleet/orbit/config', async (request, reply) => {
    const host = authenticate(store, nodeKeyRequest.parse(request.body).orbit_node_key);
    const pending = store.scriptsOf(host.id).filter((script) => script.exitCode === null);
    reply.header('x-fleet-capabilities', CAPABILITIES);
    return sendJson(reply, 200, {
      script_execution_timeout: 300,
      command_line_startup_flags: null,
      notifications: pending.length > 0 ? { pending_script_execution_ids: pending.map((s) => s.executionId) } : {},
      update_channels: null,
    });
  });

  app.post('/api/fleet/orbit/device_token', async (request, reply) => {
    const asked = deviceTokenRequest.parse(request.body);
    const host = authenticate(store, asked.orbit_node_key);
    if (asked.device_auth_token === '') throw refusal(400, 'Bad request', 'device auth token cannot be empty');
    host.deviceToken = asked.device_auth_token;
    await store.save();
    return sendJson(reply, 200, {});
  });

  app.post('/api/fleet/orbit/scripts/request', async (request, reply) => {
    const asked = scriptRequest.parse(request.body);
    const host = authenticate(store, asked.orbit_node_key);
    const script = store.scriptsOf(host.id).find((known) => known.executionId === asked.execution_id);
    if (!script) throw notFound('HostScriptResult');
    return sendJson(reply, 200, {
      host_id: host.id,
      execution_id: script.executionId,
      script_contents: script.contents,
      exit_code: script.exitCode,
      output: script.output,
    });
  });

  app.post('/api/fleet/orbit/scripts/result', async (request, reply) => {
    const asked = scriptResult.parse(request.body);
    const host = authenticate(store, asked.orbit_node_key);
    const script = store.scriptsOf(host.id).find((known) => known.executionId === asked.execution_id);
    if (!script) throw notFound('HostScriptResult');
    script.exitCode = asked.exit_code;
    script.output = asked.output;
    if (host.pendingAction === script.action) {
      if (asked.exit_code === 0) {
        host.deviceStatus = ({ lock: 'locked', unlock: 'unlocked', wipe: 'wiped' } as const)[script.action];
      }
      host.pendingAction = '';
    }
    await store.save();
    return sendJson(reply, 200, {});
  });
}

function authenticate(store: HostStore, key: string): Host {
  const host = key === '' ? undefined : store.find((known) => known.orbitNodeKey === key);
  if (!host) throw authenticationRequired();
  return host;
}
