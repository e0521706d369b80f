import { Agent, request } from 'undici';

import { KiwiError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';

export interface FleetServer {
  readonly url: string;
  /** PEM: the only root that is trusted for the server, as in the agent. */
  readonly serverCa: string;
}

const TIMEOUT_MS = 10_000;

/**
 * Checks, before the agent is installed, that what it needs is there: TLS is verified with the grant's root alone, orbit's
 * plane answers its ping, and osquery's plane has an enroll endpoint (which refuses our empty request).
 *
 * @throws KiwiError `fleet-tls`, `fleet-unreachable`
 */
export async function checkFleetReachable(server: FleetServer, signal?: AbortSignal): Promise<void> {
  const agent = new Agent({ connect: { ca: server.serverCa, timeout: TIMEOUT_MS } });
  const ask = async (method: 'HEAD' | 'POST', path: string): Promise<number> => {
    const answer = await request(new URL(path, server.url), {
      method,
      dispatcher: agent,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      ...(method === 'POST' ? { headers: { 'content-type': 'application/json' }, body: '{}' } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
    await answer.body.dump();
    return answer.statusCode;
  };
  try {
    const [ping, enroll] = await Promise.all([
      ask('HEAD', '/api/fleet/orbit/ping'),
      ask('POST', '/api/v1/osquery/enroll'),
    ]);
    if (ping !== 200) throw unreachable(`orbit's ping answers HTTP ${ping}`);
    if (enroll < 400 || enroll === 404 || enroll >= 500) throw unreachable(`osquery's enroll answers HTTP ${enroll}`);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof KiwiError) throw error;
    throw isTlsError(error)
      ? new KiwiError('fleet-tls', { detail: reason(error), cause: error })
      : new KiwiError('fleet-unreachable', { detail: `${server.url}: ${reason(error)}`, cause: error });
  } finally {
    await agent.destroy();
  }
}

function unreachable(detail: string): KiwiError {
  return new KiwiError('fleet-unreachable', { detail });
}

/** Node's codes for a server that fails to prove its identity; none of them is a network failure. */
function isTlsError(error: unknown): boolean {
  const code = systemErrorCode(error) ?? '';
  return /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_OSSL_|INVALID_CA|PATH_LENGTH_)/.test(code);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
