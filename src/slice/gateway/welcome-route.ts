import { createHash } from 'node:crypto';

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';

import { KiwiError } from '../../core/errors.ts';
import { MEDIA } from '../../protocol/common.ts';
import type { SliceContext } from '../slice-context.ts';
import { languageFor, systemOf } from '../welcome/read-visitor.ts';
import { PAGE_POLICY, renderPage } from '../welcome/render-page.ts';
import { STYLE } from '../welcome/style.ts';

/** A person who reloads sees what the operator has changed a minute ago. */
const CACHE = 'public, max-age=60';

/** GET /: where a person begins, with the packages of the slice's shelf. Public, and nothing that a laptop trusts. */
export function welcomeRoute(slice: SliceContext): FastifyPluginCallback {
  const { customer } = slice.config;
  return (app, _options, done) => {
    app.get<{ Querystring: Readonly<Record<string, unknown>> }>('/', async (request, reply) => {
      const page = renderPage({
        customer: customer.name,
        packages: await slice.packages.list(),
        language: languageFor(request.query['lang'], request.headers['accept-language']),
        system: systemOf(request.headers['user-agent']),
      });
      reply.header('content-security-policy', PAGE_POLICY).header('vary', 'accept-language, user-agent');
      return cached(request, reply, page, 'text/html; charset=utf-8');
    });
    app.get('/style.css', (request, reply) => cached(request, reply, STYLE, 'text/css; charset=utf-8'));
    app.get('/packages/manifest', async (_request, reply) => {
      const manifest = await slice.packages.manifest();
      if (manifest === undefined) throw new KiwiError('not-found');
      return reply.header('cache-control', CACHE).type(MEDIA.jose).send(manifest);
    });
    app.get<{ Params: { sha256: string; name: string } }>('/packages/:sha256/:name', async (request, reply) => {
      const { sha256, name } = request.params;
      const found = await slice.packages.open(sha256);
      if (found?.entry.name !== name) {
        found?.stream.destroy();
        throw new KiwiError('not-found');
      }
      return reply
        .header('cache-control', 'public, max-age=31536000, immutable')
        .header('content-length', found.entry.size)
        .header('content-disposition', `attachment; filename="${found.entry.name}"`)
        .type('application/octet-stream')
        .send(found.stream);
    });
    done();
  };
}

function cached(request: FastifyRequest, reply: FastifyReply, text: string, type: string): FastifyReply {
  const tag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  reply.header('cache-control', CACHE).header('etag', tag);
  if (request.headers['if-none-match'] === tag) return reply.code(304).send();
  return reply.type(type).send(text);
}
