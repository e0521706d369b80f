import { randomUUID } from 'node:crypto';

import type { FastifyInstance } from 'fastify';

import { KiwiError } from '../../core/errors.ts';
import { readPart } from '../config/slice-identity.ts';
import type { SlicePaths } from '../config/slice-paths.ts';
import { webCertificateEnd, webCertificateFault } from '../config/web-certificate-fault.ts';
import { replaceWebCertificate, type WebPair } from '../gateway/replace-web-certificate.ts';
import type { SliceContext } from '../slice-context.ts';

/** The pair in the slice's folder. @throws KiwiError `slice-damaged` */
export async function readWebPair(paths: SlicePaths): Promise<WebPair> {
  return { certificate: await readPart(paths.gateway.tlsCertificate), key: await readPart(paths.gateway.tlsKey, true) };
}

/** The web certificate with which a running gateway answers. It is read at the start, and again when an operator asks for it. */
export class WebCertificateInUse {
  readonly #context: SliceContext;
  readonly #paths: SlicePaths;
  readonly #gateway: FastifyInstance;
  #pair: WebPair;
  #refused: string | undefined;

  constructor(context: SliceContext, paths: SlicePaths, gateway: FastifyInstance, pair: WebPair) {
    this.#context = context;
    this.#paths = paths;
    this.#gateway = gateway;
    this.#pair = pair;
  }

  /** PEM: the chain. */
  get certificate(): string {
    return this.#pair.certificate.toString('utf8');
  }

  /** Why the pair in the slice's folder was not taken the last time that somebody asked for it. */
  get refused(): string | undefined {
    return this.#refused;
  }

  /**
   * Takes the pair that is in the slice's folder now. One that laptops would not accept is refused: the old one stays in use.
   * @throws KiwiError `file-unusable`, saying why
   */
  async reload(): Promise<void> {
    const { config, clock, log, registry } = this.#context;
    try {
      const pair = await readWebPair(this.#paths);
      const fault = webCertificateFault(pair, config.gateway.url, new Date(clock.now()));
      if (fault !== undefined) throw this.#unusable(`is ${fault.why}`);
      this.#replace(pair);
    } catch (error) {
      const refused = error instanceof KiwiError ? (error.detail ?? error.message) : 'it cannot be read';
      this.#refused = refused;
      log.error({ why: refused }, 'the web certificate was not replaced, and the old one stays in use');
      throw error;
    }
    this.#refused = undefined;
    const until = webCertificateEnd(this.#pair.certificate)?.toISOString() ?? '';
    log.info({ until }, 'the web certificate was replaced');
    const entry = {
      requestId: randomUUID(),
      actor: 'operator',
      action: 'gateway.certificate',
      decision: 'allowed',
    } as const;
    await registry.audit({ ...entry, why: `valid until ${until}` }, clock.now());
  }

  #replace(pair: WebPair): void {
    try {
      replaceWebCertificate(this.#gateway, pair);
    } catch (error) {
      throw this.#unusable('is refused by OpenSSL', error);
    }
    this.#pair = pair;
  }

  #unusable(why: string, cause?: unknown): KiwiError {
    return new KiwiError('file-unusable', { detail: `${this.#paths.gateway.tlsCertificate} ${why}`, cause });
  }
}
