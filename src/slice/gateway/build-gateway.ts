import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { LIMITS, MEDIA, uuid } from '../../protocol/common.ts';
import { clientNetwork } from '../decisions/client-network.ts';
import { gatewayLimits, type GatewayLimits } from '../decisions/crowd-limits.ts';
import { RateLimit } from '../decisions/rate-limit.ts';
import { BY_TOKEN } from '../claim/validate-claim.ts';
import { openClaim } from '../claim/open-claim.ts';
import { confirmDevice } from '../device/confirm-device.ts';
import { readDeviceStatus } from '../device/device-status.ts';
import { keepRecoveryKey } from '../device/keep-recovery-key.ts';
import { leaveDevice } from '../device/leave-device.ts';
import { receiveBundle } from '../device/receive-bundle.ts';
import { renewDevice } from '../device/renew-device.ts';
import { grantDevice } from '../enrollment/grant-device.ts';
import { openSession } from '../enrollment/open-session.ts';
import { BY_YUBIKEY } from '../enrollment/validate-statement.ts';
import type { AuditEntry } from '../registry/registry.ts';
import { auditOf, type RequestContext, type SliceContext } from '../slice-context.ts';
import { answerClientError } from './answer-client-error.ts';
import { answerError } from './answer-error.ts';
import { clientAddress } from './client-address.ts';
import { limitConnections } from './limit-connections.ts';
import { packageRoute } from './package-route.ts';
import { RefusalBook } from './refusal-book.ts';
import { TLS_VERSIONS, type WebPair } from './replace-web-certificate.ts';
import { welcomeRoute } from './welcome-route.ts';

/** A request that takes longer to arrive is closed. */
const REQUEST_TIMEOUT_MS = 30_000;

/** So is a connection whose TLS handshake or headers take longer, or on which nothing follows. */
const IDLE_TIMEOUT_MS = 10_000;

/** How often refusals that have no audit record of their own are summed up in one. */
const SUMMARY_MS = 60_000;

/** How laptops come in: a YubiKey vouches for them, or the token that their maker put on them. */
const ENTRANCES = {
  enrollments: { action: 'enrollment', open: openSession, entrance: BY_YUBIKEY },
  claims: { action: 'claim', open: openClaim, entrance: BY_TOKEN },
} as const;

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
  'x-content-type-options': 'nosniff',
} as const;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The audit action of the route; absent for routes that decide nothing. */
    action?: string;
  }
  interface FastifyRequest {
    /** What is known about the request so far; undefined for requests that decide nothing. */
    kiwi: RequestContext | undefined;
  }
}

/** The only part of a slice that is exposed to the public network: the routes of kiwi/1 and the page for people, over TLS. */
export async function buildGateway(slice: SliceContext, tls: WebPair): Promise<FastifyInstance> {
  const app = fastify({
    https: {
      cert: tls.certificate,
      key: tls.key,
      ...TLS_VERSIONS,
      handshakeTimeout: IDLE_TIMEOUT_MS,
      headersTimeout: IDLE_TIMEOUT_MS,
      // By default, Node looks for connections whose time is over every 30 s only.
      connectionsCheckingInterval: 2000,
    },
    logger: false,
    bodyLimit: LIMITS.hello,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    genReqId: (_request: IncomingMessage) => randomUUID(),
    // A client must not choose request ids that appear in our log.
    requestIdHeader: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    clientErrorHandler: (error, socket) => {
      const requestId = randomUUID();
      const refusal = answerClientError(error, socket, requestId);
      if (refusal !== undefined)
        slice.log.warn({ requestId, code: refusal.code, why: refusal.detail }, 'not a request');
    },
    frameworkErrors: (error, request, reply) => {
      const answer = answerError(error, request.id);
      const plain = reply as unknown as FastifyReply;
      plain.headers(HEADERS).header('x-request-id', request.id).code(answer.status).send(answer.body);
    },
  }) as unknown as FastifyInstance;
  app.decorateRequest('kiwi', undefined);
  const limits = gatewayLimits(slice.config.rateLimit);
  const book = new RefusalBook(limits.records);
  guard(app, slice, limits, book);
  routes(app, slice);
  limitConnections(app.server, limits, (remote) => book.count(remote, 'connections'));
  const summing = setInterval(() => void sumUp(slice, book), SUMMARY_MS).unref();
  app.addHook('onClose', async () => {
    clearInterval(summing);
    await sumUp(slice, book);
  });
  await app.register(packageRoute(slice));
  await app.register(welcomeRoute(slice));
  await app.ready();
  return app;
}

function guard(app: FastifyInstance, slice: SliceContext, limits: GatewayLimits, book: RefusalBook): void {
  const ofRemote = new RateLimit(slice.config.rateLimit);
  const ofNetwork = new RateLimit(limits.networkRequests);
  // Bodies stay exactly the bytes received, because they are hashed. Every type is read, up to the route's limit, so that the
  // size is refused before the type; `bodyOf` compares the type.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(HEADERS).header('x-request-id', request.id);
    const remote = clientAddress(request.socket.remoteAddress);
    const now = slice.clock.monotonic();
    // The address first: one that has used up its own share takes nothing from its neighbours.
    const waitMs = ofRemote.takeOrWait(remote, now) || ofNetwork.takeOrWait(clientNetwork(remote), now);
    if (waitMs > 0) {
      book.count(remote, 'too-many-requests');
      done(new KiwiError('too-many-requests', { retryAfterMs: waitMs }));
      return;
    }
    // Here and not in the handler, before which the body would be read.
    if (request.is404) {
      done(new KiwiError('not-found'));
      return;
    }
    const { action } = request.routeOptions.config;
    if (action !== undefined) request.kiwi = { requestId: request.id, remote, action };
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { kiwi } = request;
    const facts = kiwi ?? { requestId: request.id, remote: clientAddress(request.socket.remoteAddress) };
    slice.log.info({ ...facts, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered');
    done();
  });
  app.setNotFoundHandler(() => {
    throw new KiwiError('not-found');
  });
  app.setErrorHandler(async (thrown, request, reply) => {
    const { status, body, error } = answerError(thrown, request.id);
    const { kiwi } = request;
    const decision = status >= 500 ? 'failed' : 'refused';
    const level = status >= 500 ? 'error' : 'warn';
    const stack = error.code === 'internal' && error.cause instanceof Error ? error.cause.stack : undefined;
    slice.log[level]({ requestId: request.id, ...kiwi, code: error.code, why: error.detail, stack }, decision);
    if (kiwi !== undefined && book.take(kiwi.remote, error.code, slice.clock.monotonic())) {
      const why = error.detail === undefined ? {} : { why: error.detail };
      await record(slice, auditOf(kiwi, decision, { code: error.code, ...why }));
    }
    // A laptop whose time is refused stamps its message anew by this.
    if (error.code === 'clock-skew') reply.header('date', new Date(slice.clock.now()).toUTCString());
    if (error.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
    // The rest of the refused body may still be arriving.
    if (status === 413) reply.header('connection', 'close');
    return reply.code(status).type(MEDIA.json).send(body);
  });
}

/** Never rejects: the client is answered also while the registry is locked or its disk full. The log has it in any case. */
async function record(slice: SliceContext, entry: AuditEntry): Promise<void> {
  try {
    await slice.registry.auditRefusal(entry, slice.clock.now());
  } catch (error) {
    const { code, detail } = toKiwiError(error);
    slice.log.error({ requestId: entry.requestId, code, why: detail }, 'not in the audit');
  }
}

async function sumUp(slice: SliceContext, book: RefusalBook): Promise<void> {
  const entry = book.summary();
  if (entry !== undefined) await record(slice, entry);
}

function routes(app: FastifyInstance, slice: SliceContext): void {
  app.get('/healthz', () => ({ status: 'ok' }));
  for (const [name, { action, open, entrance }] of Object.entries(ENTRANCES)) {
    app.post(
      `/v1/${name}`,
      { bodyLimit: LIMITS.hello, config: { action: `${action}.hello` } },
      async (request, reply) => {
        const body = bodyOf(request, MEDIA.json);
        return reply.type(MEDIA.jose).send(await open(slice, body, contextOf(request)));
      },
    );
    app.put<{ Params: { sessionId: string } }>(
      `/v1/${name}/:sessionId/statement`,
      { bodyLimit: LIMITS.statement, config: { action: `${action}.grant` } },
      async (request, reply) => {
        const body = bodyOf(request, MEDIA.jose);
        const context = contextOf(request);
        const sessionId = idOf(request.params.sessionId, 'session-unknown');
        return reply.type(MEDIA.jose).send(await grantDevice(slice, sessionId, body, context, entrance));
      },
    );
    app.delete<{ Params: { sessionId: string } }>(`/v1/${name}/:sessionId`, async (request) => {
      const sessionId = idOf(request.params.sessionId, 'session-unknown');
      const dropped = await slice.registry.dropSession(sessionId);
      if (dropped) slice.log.info({ requestId: request.id, sessionId }, 'the laptop gave up this session');
      return { status: 'ok' };
    });
  }
  const operations = {
    confirm: confirmDevice,
    status: readDeviceStatus,
    leave: leaveDevice,
    renewals: renewDevice,
  } as const;
  const deviceRoute = (name: string, operation: typeof confirmDevice, type: string, bodyLimit: number): void => {
    app.post<{ Params: { deviceId: string } }>(
      `/v1/devices/:deviceId/${name}`,
      { bodyLimit, config: { action: `device.${name}` } },
      async (request, reply) => {
        const body = bodyOf(request, type);
        const context = contextOf(request);
        const deviceId = idOf(request.params.deviceId, 'device-unknown');
        return reply.type(MEDIA.jose).send(await operation(slice, deviceId, body, context));
      },
    );
  };
  for (const [name, operation] of Object.entries(operations)) {
    deviceRoute(name, operation, MEDIA.jose, LIMITS.confirm);
  }
  deviceRoute('recovery-keys', keepRecoveryKey, MEDIA.jose, LIMITS.recoveryKey);
  deviceRoute('bundles', receiveBundle, MEDIA.json, LIMITS.bundle);
}

function contextOf(request: FastifyRequest): RequestContext {
  if (request.kiwi === undefined) throw new TypeError('the route has an action');
  return request.kiwi;
}

function bodyOf(request: FastifyRequest, type: string): Buffer {
  const given = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (given !== type || !Buffer.isBuffer(request.body)) {
    throw new KiwiError('request-malformed', { detail: `content-type must be ${type}` });
  }
  return request.body;
}

function idOf(text: string, code: 'session-unknown' | 'device-unknown'): string {
  if (!uuid.safeParse(text).success) throw new KiwiError(code);
  return text;
}
