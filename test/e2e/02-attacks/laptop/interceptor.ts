import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import type { SecureContextOptions } from 'node:tls';

import { Agent, request } from 'undici';

import { issueCertificate } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { EKU } from '../../../../src/pki/roles.ts';
import { slicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { dates, loadAuthority, type Authority } from '../forge.ts';
import type { Siege } from '../siege.ts';

const NAME = 'enroll.acme.example';

export interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly type: string | undefined;
  readonly body: Buffer;
}

export interface Told {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: Buffer | AsyncIterable<Buffer>;
}

/** What the interceptor makes of a request; `pass` asks the gateway. */
export type Manners = (asked: Asked, pass: (asked: Asked) => Promise<Told>) => Promise<Told>;

export const honest: Manners = (asked, pass) => pass(asked);

/** Asks and tells the first message of an enrollment itself, passes the others on. */
export const onHello =
  (answer: Manners): Manners =>
  (asked, pass) =>
    (asked.path === '/v1/enrollments' ? answer : honest)(asked, pass);

export const onStatement =
  (answer: Manners): Manners =>
  (asked, pass) =>
    (asked.path.endsWith('/statement') ? answer : honest)(asked, pass);

/** Answers what the laptop asks about its device, passes the rest on. */
export const onStatus =
  (answer: Manners): Manners =>
  (asked, pass) =>
    (asked.path.endsWith('/status') ? answer : honest)(asked, pass);

export const jose = (body: string): Told => ({ status: 200, type: 'application/jose', body: Buffer.from(body) });

/**
 * Somebody between laptop and gateway whose TLS certificate the laptop trusts: a proxy that opens TLS, or an attacker with a
 * certificate of the public web PKI. The laptop reaches it in a stranger's room; what it does is decided here.
 */
export class Interceptor {
  manners: Manners = honest;
  /** Every byte of every message, in both directions, as it was inside TLS. */
  readonly seen: Buffer[] = [];
  readonly asked: Asked[] = [];
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #trusted: SecureContextOptions;

  private constructor(server: Server, agent: Agent, trusted: SecureContextOptions) {
    this.#server = server;
    this.#agent = agent;
    this.#trusted = trusted;
  }

  static async start(siege: Siege): Promise<Interceptor> {
    const { webCa } = slicePaths(siege.world.sliceDir);
    const trusted = await serverCertificate(loadAuthority(webCa.certificate, webCa.key));
    const ca = readFileSync(webCa.certificate, 'utf8');
    const agent = new Agent({ connect: { ca, socketPath: siege.gatewaySocket } });
    const server = createServer(trusted);
    const interceptor = new Interceptor(server, agent, trusted);
    server.on('request', (asked, told) => {
      interceptor.#answer(asked, told).catch(() => told.destroy());
    });
    const socket = path.join(siege.world.dir, 'interceptor.sock');
    server.listen(socket);
    await once(server, 'listening');
    await siege.relay(siege.mallory, '0.0.0.0:443', `unix:${socket}`);
    return interceptor;
  }

  /** Forgets what it has seen, behaves from now on as told. */
  behave(manners: Manners, tls?: SecureContextOptions): void {
    this.manners = manners;
    this.#server.setSecureContext(tls ?? this.#trusted);
    this.#server.closeAllConnections();
    this.seen.length = 0;
    this.asked.length = 0;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#agent.close();
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const asked: Asked = {
      method: incoming.method as Asked['method'],
      path: incoming.url ?? '/',
      type: incoming.headers['content-type'],
      body: Buffer.concat(chunks),
    };
    this.asked.push(asked);
    this.seen.push(Buffer.from(`${asked.method} ${asked.path} ${JSON.stringify(incoming.headers)}`), asked.body);
    const { status, type, body } = await this.manners(asked, (message) => this.#pass(message));
    outgoing.writeHead(status, type === undefined ? {} : { 'content-type': type });
    if (Buffer.isBuffer(body)) {
      this.seen.push(body);
      outgoing.end(body);
      return;
    }
    for await (const chunk of body) {
      if (outgoing.destroyed) return;
      if (!outgoing.write(chunk)) await Promise.race([once(outgoing, 'drain'), once(outgoing, 'close')]);
    }
    outgoing.end();
  }

  async #pass({ method, path: where, type, body }: Asked): Promise<Told> {
    const answer = await request(new URL(where, `https://${NAME}`), {
      method,
      dispatcher: this.#agent,
      headers: type === undefined ? {} : { 'content-type': type },
      ...(method === 'GET' ? {} : { body }),
    });
    const given = answer.headers['content-type'];
    return {
      status: answer.statusCode,
      type: typeof given === 'string' ? given : undefined,
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
  }
}

/** A server certificate for a name, by a web CA. */
export async function serverCertificate(webCa: Authority, name = NAME): Promise<SecureContextOptions> {
  const key = generateP256();
  const certificate = await issueCertificate({
    subject: { cn: name },
    key,
    issuer: webCa,
    ...dates(),
    extendedKeyUsages: [EKU.serverAuth],
    sanDns: [name],
  });
  return { cert: certificate.pem, key: key.export({ type: 'pkcs8', format: 'pem' }) };
}
