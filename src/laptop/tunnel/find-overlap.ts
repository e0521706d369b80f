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
    const taken = networks.find((network) => isWithin(local, network));
    if (taken !== undefined) return new KiwiError('network-overlap', { detail: describe(local, taken) });
  }
  return undefined;
}

function describe({ kind, interface: name, network }: LocalNetwork, taken: string): string {
  const what = { address: 'the address', route: 'a route to', 'next hop': 'the router' }[kind];
  return `${name} has ${what} ${network}, which is in the customer's network ${taken}`;
}

/** An address counts as itself, with whatever prefix length it is configured. */
function isWithin({ kind, network }: LocalNetwork, outer: string): boolean {
  const a = parse(network);
  const b = parse(outer);
  const length = kind === 'route' ? a.length : 32;
  if (length < b.length) return false;
  // Not with shifts: those of 32 bits shift by nothing.
  const size = 2 ** (32 - b.length);
  return Math.floor(a.base / size) === Math.floor(b.base / size);
}

function parse(cidr: string): { base: number; length: number } {
  const [address = '', length = '32'] = cidr.split('/');
  return { base: address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0), length: Number(length) };
}
