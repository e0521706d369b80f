import type { LocalNetwork } from '../system/tunnel.ts';

/**
 * What `ip -4 -o address show` and `ip -4 route show table main` print, as the networks that this laptop uses. Text, because
 * the field names of `ip -json` differ between versions.
 * @param tunnel the interface of our own tunnel, which is left out
 */
export function readLocalNetworks(addresses: string, routes: string, tunnel: string): LocalNetwork[] {
  const own = readAddresses(addresses);
  return [...own, ...claims(own), ...readRoutes(routes)].filter((found) => found.interface !== tunnel);
}

/**
 * Tailscale (and so a client of Headscale) routes only the addresses of its own machines, but its packet filter drops everything from
 * 100.64.0.0/10 that does not come in at its interface: a customer's network in there would be sent to, and never heard.
 */
function claims(addresses: readonly LocalNetwork[]): LocalNetwork[] {
  return addresses
    .filter(
      (one) => /^tailscale\d*$/u.test(one.interface) && /^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./u.test(one.network),
    )
    .map((one) => ({ kind: 'claim', interface: one.interface, network: '100.64.0.0/10' }));
}

/** `2: eth0    inet 192.0.2.7/24 brd 192.0.2.255 scope global dynamic eth0` */
function readAddresses(text: string): LocalNetwork[] {
  return [...text.matchAll(/^\d+: (\S+?)(?:@\S+)?\s+inet (\d+(?:\.\d+){3}(?:\/\d+)?)/gmu)].map(
    ([, name = '', address = '']) => ({ kind: 'address', interface: name, network: address }),
  );
}

/**
 * `default via 192.0.2.1 dev eth0 metric 600`, `192.0.2.0/25 dev eth0 scope link`, `unreachable 192.0.2.0/25 metric 1`; the
 * hops of a route with several are on lines of their own: `nexthop via 192.0.2.1 dev eth0 weight 1`.
 */
function readRoutes(text: string): LocalNetwork[] {
  return text.split('\n').flatMap((line): LocalNetwork[] => {
    const words = line.trim().split(/\s+/u);
    const after = (word: string): string | undefined =>
      words.includes(word) ? words[words.indexOf(word) + 1] : undefined;
    const network = words.slice(0, 2).find((word) => /^\d+(?:\.\d+){3}(?:\/\d+)?$/u.test(word));
    const name = after('dev') ?? words[0] ?? '';
    const hop = after('via');
    return [
      ...(network === undefined || words[0] === 'nexthop'
        ? []
        : [{ kind: 'route', interface: name, network } as const]),
      ...(hop === undefined ? [] : [{ kind: 'next hop', interface: name, network: hop } as const]),
    ];
  });
}
