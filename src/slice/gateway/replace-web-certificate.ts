import type { Server } from 'node:tls';

import type { FastifyInstance } from 'fastify';

export interface WebPair {
  /** PEM: the chain, leaf first. */
  readonly certificate: Buffer;
  /** PEM. */
  readonly key: Buffer;
}

/** Of every connection to the gateway, also after its certificate was replaced. */
export const TLS_VERSIONS = { minVersion: 'TLSv1.2' } as const;

/**
 * From now on, handshakes get this certificate; connections that are open keep theirs. When OpenSSL refuses the pair, it throws, and
 * everything stays as it was.
 */
export function replaceWebCertificate(gateway: FastifyInstance, { certificate, key }: WebPair): void {
  // Fastify's type is that of HTTP, and ours is HTTPS.
  (gateway.server as unknown as Server).setSecureContext({ cert: certificate, key, ...TLS_VERSIONS });
}
