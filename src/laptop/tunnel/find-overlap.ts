import { KiwiError } from '../../core/errors.ts';
import type { LocalNetwork, Tunnel } from '../system/tunnel.ts';

/**
 * Compares the networks that the tunnel is for with those that the laptop already uses, because both cannot work: where the
 * laptop's own route is narrower or has the same length and a better metric, the tunnel reaches nothing; otherwise the tunnel
 * takes the laptop's own network, and perhaps the router in it.
 *
 * A wider route (a company's 10.0.0.0/8, say) is no overlap: the tunnel takes its part of it, as more specific routes do.
 * @returns `network-overlap`, with interface and network, or undefined
 */
export async function findOverlap(
  tunnel: Tunnel,
  slug: string,
  networks: readonly string[],
): Promise<KiwiError | undefined> {
  for (const local of await tunnel.localNetworks(slug)) {
    const taken = networks.find((network) => takes(local, network));
    if (taken !== undefined) return new KiwiError('network-overlap', { detail: describe(local, taken) });
  }
  return undefined;
}

function describe({ kind, interface: name, network }: LocalNetwork, taken: string): string {
  if (kind === 'claim') return `${name} lets nothing else use ${network}, where the customer's network ${taken} is`;
  if (kind === 'policy route') {
    return `a routing rule of another program sends ${network} to ${name} before all other routes, and so the customer's network ${taken}`;
  }
  const what = { address: 'the address', route: 'a route to', 'next hop': 'the router' }[kind];
  return `${name} has ${what} ${network}, which is in the customer's network ${taken}`;
}

function takes(local: LocalNetwork, network: string): boolean {
  if (local.kind !== 'policy route' && local.kind !== 'claim') return isWithin(local, network);
  if (local.except?.some((other) => contains(other, network)) === true) return false;
  return contains(local.network, network) || contains(network, local.network);
}

/** An address counts as itself, with whatever prefix length it is configured. */
function isWithin({ kind, network }: LocalNetwork, outer: string): boolean {
  return contains(outer, kind === 'route' ? network : (network.split('/')[0] ?? ''));
}

function contains(outer: string, inner: string): boolean {
  const [a, b] = [parse(inner), parse(outer)];
  if (a.length < b.length) return false;
  // Not with shifts: those of 32 bits shift by nothing.
  const size = 2 ** (32 - b.length);
  return Math.floor(a.base / size) === Math.floor(b.base / size);
}

function parse(cidr: string): { base: number; length: number } {
  const [address = '', length = '32'] = cidr.split('/');
  return { base: address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0), length: Number(length) };
}
