import { isIPv4, isIPv6 } from 'node:net';

import { KiwiError } from '../../core/errors.ts';

/** All addresses of a name, best first (RFC 6724 order of the system's resolver). Throws or is empty when there is none. */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

/** More candidates than this would leave each too little time for a handshake. */
const MAX_CANDIDATES = 6;

/**
 * The literal endpoints to try, in order: every endpoint of the grant with every address of its name, A and AAAA, each once.
 * `wg` itself would take one address (often an unreachable AAAA) and never try another.
 */
export async function endpointCandidates(endpoints: readonly string[], resolve: ResolveHost): Promise<string[]> {
  const lists = await Promise.all(
    endpoints.map(async (endpoint) => {
      const { host, port } = splitEndpoint(endpoint);
      if (isIPv4(host) || isIPv6(host)) return [literal(host, port)];
      const addresses = await resolve(host).catch(() => []);
      return addresses.map((address) => literal(address, port));
    }),
  );
  return [...new Set(lists.flat())].slice(0, MAX_CANDIDATES);
}

/**
 * The same, without those to which there is no route: where there is no IPv6, an AAAA record costs nothing.
 * @param routable those of these to which there is one
 * @throws KiwiError `tunnel-no-handshake` when no name has an address
 */
export async function reachableCandidates(
  endpoints: readonly string[],
  resolve: ResolveHost,
  routable: (all: readonly string[]) => Promise<readonly string[]>,
): Promise<readonly [string, ...string[]]> {
  const all = await endpointCandidates(endpoints, resolve);
  const usable = await routable(all);
  const [first, ...others] = usable.length > 0 ? usable : all;
  if (first !== undefined) return [first, ...others];
  throw new KiwiError('tunnel-no-handshake', { detail: `no address for ${endpoints.join(', ')}` });
}

/** The parts of `host:port` or `[v6]:port`. */
export function splitEndpoint(endpoint: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(endpoint);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new TypeError('not an endpoint');
  return { host, port: Number(match?.[3]) };
}

/** True for `a.b.c.d:port` and `[v6]:port`, which no name server can move. */
export function isLiteral(endpoint: string): boolean {
  const { host } = splitEndpoint(endpoint);
  return isIPv4(host) || isIPv6(host);
}

function literal(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}
