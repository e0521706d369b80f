import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { fleetFiles, replacePrivateFile } from './files.ts';
import type { Host, HostStore } from './host-store.ts';
import { hostView } from './host-view.ts';
import type { Behaviour } from './behaviour.ts';
import { authenticationRequired, conflict, licenceMissing, notFound, sendJson, validationFailed } from './refusals.ts';

const identifierParams = z.object({ identifier: z.string().min(1) });
const idParams = z.object({ id: z.coerce.number().int().nonnegative() });
const listQuery = z.object({
  query: z.string().default(''),
  status: z.enum(['', 'online', 'offline', 'new', 'missing']).default(''),
  page: z.coerce.number().int().nonnegative().default(0),
  per_page: z.coerce.number().int().positive().default(100),
});
const secretSpec = z.object({ spec: z.object({ secrets: z.array(z.object({ secret: z.string().min(1) })).max(50) }) });

/**
 * On Linux, Fleet locks, unlocks and wipes through scripts that orbit runs as root. The true ones disable accounts and
 * erase disks; these only report success, so that the states can be tested on any machine.
 */
const ACTION_SCRIPT = '#!/bin/sh\nexit 0\n';

/** The REST API, for whoever holds the token. */
export function addRestRoutes(
  app: FastifyInstance,
  store: HostStore,
  {
    dir,
    apiToken,
    behaviour,
  }: { readonly dir: string; readonly apiToken: string; readonly behaviour: () => Behaviour },
): void {
  const authenticate = (request: FastifyRequest): void => {
    if (request.headers.authorization !== `Bearer ${apiToken}`) throw authenticationRequired();
  };

  for (const api of ['/api/v1/fleet', '/api/latest/fleet']) {
    app.get(`${api}/hosts/identifier/:identifier`, (request, reply) => {
      authenticate(request);
      const { identifier } = identifierParams.parse(request.params);
      // One row, in no order of its own: with duplicates this may well be the stale one, as with the real server.
      const host = store.find((known) =>
        [known.hostname, known.uuid, known.hardwareSerial, known.osqueryHostId].includes(identifier),
      );
      if (!host) throw notFound('Host');
      return sendJson(reply, 200, { host: hostView(host) });
    });

    app.get(`${api}/hosts/:id`, (request, reply) => {
      authenticate(request);
      return sendJson(reply, 200, { host: hostView(hostOf(request)) });
    });

    app.get(`${api}/hosts`, (request, reply) => {
      authenticate(request);
      const asked = listQuery.parse(request.query);
      const views = store.hosts
        .filter((host) => matches(host, asked.query.toLowerCase()))
        .map(hostView)
        .filter((view) => asked.status === '' || view['status'] === asked.status);
      const first = asked.page * asked.per_page;
      return sendJson(reply, 200, { hosts: views.slice(first, first + asked.per_page) });
    });

    app.delete(`${api}/hosts/:id`, async (request, reply) => {
      authenticate(request);
      store.delete(hostOf(request).id);
      await store.save();
      return sendJson(reply, 200, {});
    });

    for (const action of ['lock', 'unlock', 'wipe'] as const) {
      app.post(`${api}/hosts/:id/${action}`, async (request, reply) => {
        authenticate(request);
        // The free edition refuses before it looks the host up.
        if (behaviour().free) throw licenceMissing();
        const host = hostOf(request);
        refuseAction(host, action);
        host.pendingAction = action;
        store.addScript(host.id, action, ACTION_SCRIPT);
        await store.save();
        return sendJson(reply, 200, { device_status: host.deviceStatus, pending_action: action });
      });
    }

    app.get(`${api}/spec/enroll_secret`, (request, reply) => {
      authenticate(request);
      return sendJson(reply, 200, { spec: { secrets: store.enrollSecrets } });
    });

    app.post(`${api}/spec/enroll_secret`, async (request, reply) => {
      authenticate(request);
      const secrets = secretSpec.parse(request.body).spec.secrets.map(({ secret }) => secret);
      store.replaceEnrollSecrets(secrets);
      await store.save();
      if (secrets[0] !== undefined) replacePrivateFile(fleetFiles(dir).enrollSecretPath, `${secrets[0]}\n`);
      return sendJson(reply, 200, {});
    });
  }

  function hostOf(request: FastifyRequest): Host {
    const { id } = idParams.parse(request.params);
    const host = store.find((known) => known.id === id);
    if (!host) throw notFound('Host');
    return host;
  }
}

function matches(host: Host, text: string): boolean {
  return [host.hostname, host.computerName, host.uuid, host.hardwareSerial, host.primaryIp].some((field) =>
    field.toLowerCase().includes(text),
  );
}

/** In the order, with the words and the status codes of Fleet's own checks. */
function refuseAction({ orbitNodeKey, pendingAction, deviceStatus }: Host, action: 'lock' | 'unlock' | 'wipe'): void {
  const refuse = (reason: string): never => {
    throw validationFailed('host_id', reason);
  };
  if (orbitNodeKey === null) refuse(`Couldn't ${action} host. Host doesn't have the Fleet agent (fleetd).`);
  const [done, past] = (
    { lock: ['locked', 'locked'], unlock: ['unlocked', 'unlocked'], wipe: ['wiped', 'wiped'] } as const
  )[action];
  if (pendingAction === action) {
    refuse(
      {
        lock: 'Host has pending lock request. Host cannot be locked again until lock is complete.',
        unlock: 'Host has pending unlock request. The host will unlock when it comes online.',
        wipe: 'Host has pending wipe request. The host will be wiped when it comes online.',
      }[action],
    );
  }
  if (pendingAction === 'wipe') {
    refuse(`Host has pending wipe request. Cannot process ${action} requests once host is wiped.`);
  }
  if (pendingAction !== '') {
    const again = action === 'lock' ? ' again' : '';
    refuse(
      `Host has pending ${pendingAction} request. Host cannot be ${past}${again} until ${pendingAction} is complete.`,
    );
  }
  if (deviceStatus === done) throw conflict('host_id', `Host is already ${past}.`);
  if (deviceStatus === 'wiped') refuse(`Host is wiped. Cannot process ${action} requests once host is wiped.`);
  if (action === 'wipe' && deviceStatus === 'locked') {
    refuse('Host is locked. Host cannot be wiped until it is unlocked.');
  }
}
