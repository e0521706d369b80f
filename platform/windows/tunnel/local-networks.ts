import { isIPv4 } from 'node:net';

import type { LocalNetwork } from '../../../src/laptop/system/tunnel.ts';
import type { Adapter, Route } from '../adapters.ts';

/** Windows puts a route to every address, every broadcast address and to multicast into its table: none leads to a network. */
const NO_NETWORK = /^(?:0\.0\.0\.0\/0|127\.|224\.|255\.255\.255\.255\/|.*\/32$)/u;

/**
 * Addresses, routes and routers of the laptop, without those of the tunnel. Tailscale routes only the addresses of its own machines, but drops
 * everything from 100.64.0.0/10 that does not come in at its adapter.
 */
export function networksOf(adapters: readonly Adapter[], routes: readonly Route[], tunnel: string): LocalNetwork[] {
  const others = adapters.filter(({ name, up }) => up && name !== tunnel);
  const nameOf = new Map(adapters.map(({ index, name }) => [index, name]));
  const own = others.flatMap(({ name, addresses }) =>
    addresses
      .filter((address) => isIPv4(address.split('/')[0] ?? '') && !address.startsWith('127.'))
      .map((network): LocalNetwork => ({ kind: 'address', interface: name, network })),
  );
  const claims = own
    .filter(
      (one) => one.interface.startsWith('Tailscale') && /^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./u.test(one.network),
    )
    .map((one): LocalNetwork => ({ kind: 'claim', interface: one.interface, network: '100.64.0.0/10' }));
  const ways = routes.flatMap(({ destination, nextHop, index }): LocalNetwork[] => {
    const name = nameOf.get(index) ?? `interface ${index}`;
    if (name === tunnel) return [];
    return [
      ...(NO_NETWORK.test(destination) ? [] : [{ kind: 'route', interface: name, network: destination } as const]),
      ...(nextHop === '0.0.0.0' || !isIPv4(nextHop)
        ? []
        : [{ kind: 'next hop', interface: name, network: nextHop } as const]),
    ];
  });
  return [...own, ...claims, ...ways];
}
