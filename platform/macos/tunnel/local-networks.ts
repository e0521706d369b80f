import type { LocalNetwork } from '../../../src/laptop/system/tunnel.ts';

/** Every host, broadcast and multicast address stands in the table; none leads to a network. */
const NO_NETWORK = /^(?:default$|127\.|224\.|255\.255\.255\.255)/u;

/**
 * What `ifconfig -a inet` and `netstat -n -r -f inet` print, as the networks that this Mac uses. Tailscale routes only the addresses of its own
 * machines, but claims all of 100.64.0.0/10.
 * @param tunnel the interface of our own tunnel, which is left out
 */
export function readNetworks(addresses: string, routes: string, tunnel: string | undefined): LocalNetwork[] {
  const own = readAddresses(addresses);
  const claims = own
    .filter(
      (one) => one.interface.startsWith('utun') && /^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./u.test(one.network),
    )
    .map((one): LocalNetwork => ({ kind: 'claim', interface: one.interface, network: '100.64.0.0/10' }));
  return [...own, ...claims, ...readRoutes(routes)].filter((found) => found.interface !== tunnel);
}

/** `en0: flags=8863<UP,…> mtu 1500`, then lines `inet 192.0.2.7 netmask 0xffffff00 broadcast …`, `inet 10.0.0.2 --> 10.0.0.2 netmask …`. */
function readAddresses(text: string): LocalNetwork[] {
  let name = '';
  return text.split('\n').flatMap((line): LocalNetwork[] => {
    name = /^(\S+): flags=/u.exec(line)?.[1] ?? name;
    const [, address, mask] = /^\s+inet (\d+(?:\.\d+){3})(?: --> \S+)? netmask 0x([0-9a-f]{8})/u.exec(line) ?? [];
    if (address === undefined || mask === undefined || address.startsWith('127.')) return [];
    const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
    return [{ kind: 'address', interface: name, network: `${address}/${bits}` }];
  });
}

/** `192.0.2   link#11  UCS  en0`, `10.77.1/24  utun5  USc  utun5`, `default  192.0.2.1  UGScg  en0`: zeros at the end are left out. */
function readRoutes(text: string): LocalNetwork[] {
  return text.split('\n').flatMap((line): LocalNetwork[] => {
    const [destination = '', gateway = '', flags = '', name = ''] = line.trim().split(/\s+/u);
    if (!/^(?:default|\d{1,3}(?:\.\d{1,3}){0,3}(?:\/\d{1,2})?)$/u.test(destination) || !/^U/u.test(flags)) return [];
    const isHost = flags.includes('H') || flags.includes('W') || destination.endsWith('/32');
    const network = destination === 'default' ? undefined : wholeNetwork(destination);
    return [
      ...(network === undefined || isHost || NO_NETWORK.test(network)
        ? []
        : [{ kind: 'route', interface: name, network } as const]),
      ...(flags.includes('G') && /^\d+(?:\.\d+){3}$/u.test(gateway)
        ? [{ kind: 'next hop', interface: name, network: gateway } as const]
        : []),
    ];
  });
}

function wholeNetwork(destination: string): string {
  const [address = '', prefix] = destination.split('/');
  const parts = address.split('.');
  return `${[...parts, '0', '0', '0'].slice(0, 4).join('.')}/${prefix ?? String(8 * parts.length)}`;
}
