import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';

import { ERROR_CODES, EXIT } from '../../core/error-codes.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { LIMITS, MEDIA } from '../../protocol/common.ts';
import { MAX_OPERATOR_BODY } from '../../protocol/operator-request.ts';
import { AuditBudget } from '../decisions/audit-budget.ts';
import { gatewayLimits } from '../decisions/crowd-limits.ts';
import { RateLimit } from '../decisions/rate-limit.ts';
import { clientAddress } from '../gateway/client-address.ts';
import { limitConnections } from '../gateway/limit-connections.ts';
import { performOn } from '../operator/perform.ts';
import type { OperatorParts } from '../operator/verbs/handlers.ts';
import { openRequest } from './open-request.ts';
import { OperatorSessions } from './operator-sessions.ts';
import { openOperatorChallenge, signIn } from './sign-in.ts';

const TIMEOUT_MS = 30_000;
const IDLE_MS = 10_000;

/** Of an address. Commands of people, and their scripts. */
const REQUESTS = { burst: 100, perSecond: 10 };
/** Each may cost a signature, and comes from somebody who is nobody yet. */
const SIGN_INS = { burst: 20, perSecond: 0.2 };

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

/** Who asked what, for log and audit. */
interface Known {
  remote: string;
  actor?: string;
  action: string;
}

/**
 * The API for operators on other machines, at the inside address: reached through the tunnel, never from the internet. TLS is by the
 * provider's root, which their programs pin.
 */
export async function buildOperatorApi(
  parts: OperatorParts,
  tls: { readonly cert: string; readonly key: string },
  log: Logger,
): Promise<FastifyInstance> {
  const sessions = new OperatorSessions();
  const perform = performOn(parts);
  const known = new WeakMap<FastifyRequest, Known>();
  const app = fastify({
    https: { ...tls, minVersion: 'TLSv1.3', handshakeTimeout: IDLE_MS, headersTimeout: IDLE_MS },
    logger: false,
    bodyLimit: LIMITS.operatorSignIn,
    requestTimeout: TIMEOUT_MS,
    connectionTimeout: TIMEOUT_MS,
    keepAliveTimeout: IDLE_MS,
    genReqId: (_request: IncomingMessage) => randomUUID(),
    requestIdHeader: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;
  const requests = new RateLimit(REQUESTS);
  const signIns = new RateLimit(SIGN_INS);
  const limits = gatewayLimits(parts.config.rateLimit);
  const strangers = new AuditBudget(limits.records);
  limitConnections(app.server, limits, () => undefined);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(HEADERS).header('x-request-id', request.id);
    const remote = clientAddress(request.socket.remoteAddress);
    known.set(request, { remote, action: 'operator.request' });
    const limit = request.url === '/v1/operator/requests' ? requests : signIns;
    const retryAfterMs = limit.takeOrWait(remote, parts.clock.monotonic());
    if (retryAfterMs > 0) done(new KiwiError('too-many-requests', { retryAfterMs }));
    else if (request.is404) done(new KiwiError('not-found'));
    else done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const ms = Math.round(reply.elapsedTime);
    log.info({ requestId: request.id, ...known.get(request), status: reply.statusCode, ms }, 'operator answered');
    done();
  });
  app.setErrorHandler((thrown, request, reply) => {
    const by = known.get(request) ?? { remote: '', action: 'operator.request' };
    // What nobody can be named for is in the log only, but for the first failures to sign in: a stranger must not fill the audit.
    const isRecorded =
      by.actor !== undefined ||
      (by.action === 'operator.sign-in' && strangers.take(by.remote, parts.clock.monotonic()));
    return refuse(parts, log, { ...by, isRecorded }, thrown, request, reply);
  });
  app.post('/v1/operator/challenges', { bodyLimit: LIMITS.operatorHello }, async (request, reply) =>
    reply.type(MEDIA.jose).send(await openOperatorChallenge(parts, sessions, bodyOf(request))),
  );
  app.post('/v1/operator/sessions', { bodyLimit: LIMITS.operatorSignIn }, async (request) => {
    know(request, { action: 'operator.sign-in' });
    const session = await signIn(parts, sessions, bodyOf(request), { requestId: request.id });
    know(request, { actor: session.operator });
    return session;
  });
  app.post('/v1/operator/requests', { bodyLimit: MAX_OPERATOR_BODY }, async (request) => {
    const { sessionId, actor, verb, given } = await openRequest(parts, sessions, bodyOf(request), (by) =>
      know(request, by),
    );
    if (verb === 'session.end') {
      sessions.end(sessionId);
      const entry = {
        requestId: request.id,
        actor: actor.name,
        action: 'operator.sign-out',
        decision: 'allowed',
      } as const;
      await parts.registry.audit(entry, parts.clock.now());
      return { result: {} };
    }
    return { result: await perform(verb, given, actor, request.id) };
  });
  await app.ready();
  return app;

  function know(request: FastifyRequest, more: Partial<Known>): void {
    Object.assign(known.get(request) ?? {}, more);
  }
}

/** HTTP statuses of errors that no laptop sees, by what a command would end with. */
const STATUS: Readonly<Partial<Record<number, number>>> = {
  [EXIT.usage]: 400,
  [EXIT.person]: 409,
  [EXIT.refused]: 403,
  [EXIT.unreachable]: 503,
};

async function refuse(
  { registry, clock }: OperatorParts,
  log: Logger,
  { remote, actor, action, isRecorded }: Known & { readonly isRecorded: boolean },
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const error = fromHttp(thrown) ?? toKiwiError(thrown);
  const { code, message, operatorHint: hint, detail, retryable, retryAfterMs } = error;
  const status = ERROR_CODES[code].http ?? STATUS[error.exitCode] ?? 500;
  const facts = { requestId: request.id, remote, actor, action, code, why: detail };
  const stack = code === 'internal' && error.cause instanceof Error ? error.cause.stack : undefined;
  log[status >= 500 ? 'error' : 'warn']({ ...facts, stack }, 'operator refused');
  if (isRecorded) {
    const entry = { requestId: request.id, actor: actor ?? remote, action, code };
    const decision = status >= 500 ? 'failed' : 'refused';
    const why = detail === undefined ? {} : { why: detail.slice(0, 500) };
    await registry.auditRefusal({ ...entry, decision, ...why }, clock.now()).catch((failed: unknown) => {
      log.error({ requestId: request.id, why: toKiwiError(failed).detail }, 'not in the audit');
    });
  }
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(retryAfterMs / 1000));
  if (status === 413) reply.header('connection', 'close');
  // Only who is signed in is told details.
  const told = detail === undefined || (actor === undefined && code === 'internal') ? {} : { detail };
  return reply
    .code(status)
    .type(MEDIA.json)
    .send({ code, message, hint, retryable, requestId: request.id, ...told });
}

function fromHttp(thrown: unknown): KiwiError | undefined {
  if (thrown instanceof KiwiError || !(thrown instanceof Error) || !('statusCode' in thrown)) return undefined;
  const detail = thrown.message.slice(0, 200);
  if (thrown.statusCode === 413) return new KiwiError('request-too-large', { detail, cause: thrown });
  return Number(thrown.statusCode) < 500 ? new KiwiError('request-malformed', { detail, cause: thrown }) : undefined;
}

function bodyOf(request: FastifyRequest): Buffer {
  if (!Buffer.isBuffer(request.body)) throw new KiwiError('request-malformed', { detail: 'no body' });
  return request.body;
}
