import type { Duplex } from 'node:stream';

import { buildConnector, Client } from 'undici';

import { KiwiError } from '../../core/errors.ts';
import { firstCodeOf } from './transport-error.ts';
import type { Proxy } from './proxy.ts';

export interface ConnectOptions {
  /** PEM: for the gateway, and for a proxy that is itself reached over TLS. */
  readonly ca: string;
  /** Milliseconds for a connection. */
  readonly timeout: number;
  /** False: anybody may answer for the gateway. */
  readonly rejectUnauthorized?: boolean;
}

/** How long a proxy may take to connect us. */
const ANSWER_MS = 30_000;

export interface ProxyConnector {
  readonly connect: buildConnector.connector;
  close(): Promise<void>;
}

/**
 * Connects to the gateway through a proxy's CONNECT (RFC 9110, section 9.3.6). What the proxy itself answers or does not answer
 * is reported as such: undici's own ProxyAgent would hide it in a message text.
 */
export function connectThroughProxy(proxy: Proxy, options: ConnectOptions): ProxyConnector {
  // A proxy that is reached over TLS is always verified: it is sent a password.
  const { ca, timeout } = options;
  const client = new Client(proxy.url.origin, { connect: { ca, timeout }, headersTimeout: ANSWER_MS });
  const secure = buildConnector({ ...options });
  return {
    connect: (target, callback) => {
      tunnelTo(client, proxy, `${target.hostname}:${target.port === '' ? '443' : target.port}`).then(
        // Its type says Duplex; it is the socket of the connection.
        (httpSocket) => {
          secure(Object.assign(target, { httpSocket }), callback);
        },
        (error: unknown) => {
          callback(error as Error, null);
        },
      );
    },
    close: () => client.destroy(),
  };
}

async function tunnelTo(client: Client, proxy: Proxy, target: string): Promise<Duplex> {
  const headers = { host: target, ...credentials(proxy.url) };
  const { statusCode, socket } = await client.connect({ path: target, headers }).catch((error: unknown) => {
    throw new KiwiError('proxy-unreachable', { detail: `${proxy.name}: ${codeOf(error)}`, cause: error });
  });
  if (statusCode >= 200 && statusCode < 300) return socket;
  socket.on('error', () => undefined).destroy();
  const detail = `${proxy.name} answered HTTP ${statusCode}`;
  if (statusCode === 407) throw new KiwiError('proxy-authentication', { detail });
  // From 500 on, it tried and could not reach the gateway.
  throw new KiwiError(statusCode < 500 ? 'proxy-refused' : 'gateway-unreachable', { detail });
}

function credentials({ username, password }: URL): { 'proxy-authorization'?: string } {
  if (username === '' && password === '') return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

function codeOf(error: unknown): string {
  return firstCodeOf(error) ?? 'no answer';
}
