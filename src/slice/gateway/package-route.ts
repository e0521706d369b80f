import { createReadStream } from 'node:fs';

import type { FastifyPluginCallback } from 'fastify';

import { KiwiError } from '../../core/errors.ts';
import type { SliceContext } from '../slice-context.ts';

/**
 * GET /v1/packages/{sha256}: serves Fleet's agent packages by their hash. They are generic and public: they contain no
 * secret, and the laptop trusts the hash in its grant, not this answer.
 */
export function packageRoute(slice: SliceContext): FastifyPluginCallback {
  const packages = new Map((slice.fleet?.config.packages ?? []).map((entry) => [entry.sha256, entry]));
  return (app, _options, done) => {
    app.get<{ Params: { sha256: string } }>('/v1/packages/:sha256', (request, reply) => {
      const entry = packages.get(request.params.sha256);
      if (entry === undefined) throw new KiwiError('not-found');
      return reply
        .header('cache-control', 'public, max-age=31536000, immutable')
        .header('content-length', entry.size)
        .type('application/octet-stream')
        .send(createReadStream(entry.file, { end: entry.size - 1 }));
    });
    done();
  };
}
