import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { readBehaviour } from './behaviour.ts';
import type { ServerCertificate } from './certificates.ts';
import { prepareFleetFiles } from './files.ts';
import { HostStore } from './host-store.ts';
import { addOrbitRoutes } from './orbit-routes.ts';
import { addOsqueryRoutes } from './osquery-routes.ts';
import { FleetRefusal, refusal, sendJson } from './refusals.ts';
import { addRestRoutes } from './rest-routes.ts';

const BODY_LIMIT_BYTES = 1024 * 1024;

/** Puts a Fleet stand-in together, with its state in `dir`; the caller listens and closes. */
export function buildServer(options: {
  readonly dir: string;
  readonly tls: ServerCertificate;
  readonly logLevel: 'info' | 'silent';
}): FastifyInstance {
  const { dir, tls, logLevel } = options;
  const { enrollSecret, apiToken } = prepareFleetFiles(dir);
  const store = new HostStore(dir, enrollSecret);
  const app = Fastify({
    https: { key: tls.key, cert: tls.cert, minVersion: 'TLSv1.2' },
    bodyLimit: BODY_LIMIT_BYTES,
    // stdout carries the ready line alone. Bodies and headers, where the secrets are, are never logged.
    logger: { level: logLevel, stream: process.stderr },
    forceCloseConnections: true,
    exposeHeadRoutes: false,
  }) as unknown as FastifyInstance;

  // Fleet reads every body as JSON, whatever its content type says.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? {} : JSON.parse(body as string));
    } catch (fault) {
      done(refusal(400, 'Bad request', `json decoder error: ${(fault as Error).message}`));
    }
  });

  app.addHook('onRequest', async (_request, reply) => {
    if (!readBehaviour(dir).down) return;
    await reply.code(503).header('content-type', 'text/plain').send('Service Unavailable\n');
  });
  app.setErrorHandler((fault: FastifyError, request, reply) => {
    if (fault instanceof FleetRefusal) return sendJson(reply, fault.status, fault.body);
    if (fault instanceof z.ZodError) {
      const { status, body } = refusal(400, 'Bad request', z.prettifyError(fault));
      return sendJson(reply, status, body);
    }
    const status = fault.statusCode ?? 500;
    if (status >= 500) request.log.error(fault);
    return sendJson(reply, status, refusal(status, fault.message).body);
  });
  app.setNotFoundHandler((_request, reply) => {
    const { status, body } = refusal(404, 'Resource Not Found', 'bad route');
    return sendJson(reply, status, body);
  });

  app.get('/healthz', (_request, reply) => reply.code(200).send());
  addOrbitRoutes(app, store, () => readBehaviour(dir));
  addOsqueryRoutes(app, store, () => readBehaviour(dir));
  addRestRoutes(app, store, { dir, apiToken, behaviour: () => readBehaviour(dir) });
  app.addHook('onClose', () => store.save());
  return app;
}
