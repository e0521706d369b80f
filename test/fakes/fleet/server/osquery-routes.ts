import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Behaviour } from './behaviour.ts';
import { detailQueries, ingestDetails, ingestEnrollDetails } from './detail-queries.ts';
import { NEVER, newNodeKey, now, type Host, type HostStore } from './host-store.ts';
import { nodeInvalid, sendJson } from './refusals.ts';

const DETAIL_INTERVAL_MS = 3_600_000;

const row = z.record(z.string(), z.string());
const enrollRequest = z.object({
  enroll_secret: z.string().default(''),
  host_identifier: z.string().default(''),
  platform_type: z.string().default(''),
  host_details: z.record(z.string(), row).default({}),
});
const nodeKeyRequest = z.object({ node_key: z.string().default('') });
const writeRequest = nodeKeyRequest.extend({
  // osquery sends an empty string instead of an empty list for a query without rows.
  queries: z.record(z.string(), z.union([z.array(row), z.literal('').transform(() => [])])).default({}),
  statuses: z.record(z.string(), z.coerce.number()).default({}),
  messages: z.record(z.string(), z.string()).default({}),
});
const logRequest = nodeKeyRequest.extend({
  log_type: z.enum(['status', 'result']),
  data: z.array(z.unknown()).nullable().default([]),
});

/** The plane osqueryd speaks. Only it makes a host "seen", so only it can make a host online. */
export function addOsqueryRoutes(app: FastifyInstance, store: HostStore, behaviour: () => Behaviour): void {
  for (const plane of ['/api/osquery', '/api/v1/osquery']) {
    app.post(`${plane}/enroll`, async (request, reply) => {
      const asked = enrollRequest.parse(request.body);
      if (!store.acceptsSecret(asked.enroll_secret) || behaviour().refuseOsqueryEnroll) {
        throw nodeInvalid('enroll failed: no matching secret found');
      }
      if (asked.host_identifier === '') throw nodeInvalid('save enroll failed: missing osquery host identifier');
      const host = store.rowForEnrollment(asked.host_identifier);
      host.nodeKey = newNodeKey();
      host.lastEnrolledAt = now();
      // Forces the detail queries on the next distributed/read, also for a host that is enrolled anew.
      host.detailUpdatedAt = NEVER;
      host.seenTime = now();
      host.updatedAt = now();
      ingestEnrollDetails(host, asked.host_details);
      await store.save();
      return sendJson(reply, 200, { node_key: host.nodeKey });
    });

    app.post(`${plane}/config`, (request, reply) => {
      seen(store, nodeKeyRequest.parse(request.body).node_key);
      return sendJson(reply, 200, {
        options: {
          disable_distributed: false,
          distributed_interval: 10,
          distributed_plugin: 'tls',
          distributed_tls_max_attempts: 3,
          logger_plugin: 'tls',
          logger_tls_endpoint: '/api/v1/osquery/log',
          logger_tls_period: 10,
          pack_delimiter: '/',
        },
        decorators: { load: ['SELECT uuid AS host_uuid FROM system_info;'] },
      });
    });

    app.post(`${plane}/distributed/read`, (request, reply) => {
      const host = seen(store, nodeKeyRequest.parse(request.body).node_key);
      const due = Date.now() - Date.parse(host.detailUpdatedAt) > DETAIL_INTERVAL_MS;
      if (!due || behaviour().detailsNeverArrive) return sendJson(reply, 200, { queries: {}, discovery: {} });
      return sendJson(reply, 200, { ...detailQueries(), accelerate: 10 });
    });

    app.post(`${plane}/distributed/write`, async (request, reply) => {
      const asked = writeRequest.parse(request.body);
      const host = seen(store, asked.node_key);
      host.primaryIp = request.ip;
      ingestDetails(host, asked.queries, asked.statuses);
      await store.save();
      return sendJson(reply, 200, {});
    });

    app.post(`${plane}/log`, (request, reply) => {
      seen(store, logRequest.parse(request.body).node_key);
      return sendJson(reply, 200, {});
    });
  }
}

function seen(store: HostStore, key: string): Host {
  if (key === '') throw nodeInvalid('authentication error: missing node key');
  const host = store.find((known) => known.nodeKey === key);
  if (!host) throw nodeInvalid(`authentication error: invalid node key: ${key}`);
  host.seenTime = now();
  // Not waited for: Fleet writes "seen" in batches too, and a lost one is made good ten seconds later.
  store.save().catch((fault: unknown) => process.emitWarning(`seen time not saved: ${String(fault)}`));
  return host;
}
