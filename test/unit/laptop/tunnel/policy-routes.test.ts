import { describe, expect, it } from 'vitest';

import type { Tunnel } from '../../../../src/laptop/system/tunnel.ts';
import { findOverlap } from '../../../../src/laptop/tunnel/find-overlap.ts';
import { readLocalNetworks } from '../../../../src/laptop/tunnel/read-local-networks.ts';
import { readPolicyRoutes } from '../../../../src/laptop/tunnel/read-policy-routes.ts';

const LOCAL = '0:\tfrom all lookup local\n';
const MAIN = '32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n';
const ROUTES = `default via 198.51.100.1 dev eth0 proto dhcp metric 600
10.77.1.0/24 dev kiwi-acme scope link
local 10.77.0.2 dev kiwi-acme table local proto kernel scope host src 10.77.0.2
broadcast 198.51.100.255 dev eth0 table local proto kernel scope link src 198.51.100.2
`;
/** As Tailscale sets them (router_linux.go). */
const TAILSCALE = `5210:\tfrom all fwmark 0x80000/0xff0000 lookup main
5230:\tfrom all fwmark 0x80000/0xff0000 lookup default
5250:\tfrom all fwmark 0x80000/0xff0000 unreachable
5270:\tfrom all lookup 52
`;
const TAILNET = `100.100.100.100 dev tailscale0 table 52
100.101.102.103 dev tailscale0 table 52
`;
/** As wg-quick(8) sets them for a tunnel that takes everything. */
const WG_QUICK = `32764:\tfrom all lookup main suppress_prefixlength 0
32765:\tnot from all fwmark 0xca6c lookup 51820
`;

const overlap = async (rules: string, routes: string, granted = ['10.77.1.0/24'], addresses = '') => {
  const found = [
    ...readLocalNetworks(addresses, '', 'kiwi-acme'),
    ...readPolicyRoutes(LOCAL + rules + MAIN, ROUTES + routes, 'kiwi-acme'),
  ];
  const localNetworks = () => Promise.resolve(found);
  return (await findOverlap({ localNetworks } as unknown as Tunnel, 'acme', granted))?.detail;
};

describe('rules of other programs that take the tunnel its packets', () => {
  it.each<[string, string, string, string]>([
    [
      'Tailscale with an exit node',
      TAILSCALE,
      `${TAILNET}default dev tailscale0 table 52\n`,
      '0.0.0.0/0 to tailscale0',
    ],
    [
      'Tailscale with a subnet router',
      TAILSCALE,
      `${TAILNET}10.0.0.0/8 dev tailscale0 table 52\n`,
      '10.0.0.0/8 to tailscale0',
    ],
    [
      'Tailscale with a narrower subnet',
      TAILSCALE,
      '10.77.1.128/25 dev tailscale0 table 52\n',
      '10.77.1.128/25 to tailscale0',
    ],
    [
      'strongSwan',
      '220:\tfrom all lookup 220\n',
      '10.0.0.0/8 via 198.51.100.1 dev eth0 table 220 proto static src 10.3.0.5\n',
      '10.0.0.0/8 to eth0',
    ],
    [
      'a rule for a destination',
      '100:\tfrom all to 10.77.0.0/16 lookup 7\n',
      'default dev vpn0 table 7\n',
      '10.77.0.0/16 to vpn0',
    ],
    ['a kill switch', '99:\tfrom all unreachable\n', '', '0.0.0.0/0 to unreachable'],
    [
      'a table without the marked packets',
      '90:\tnot from all fwmark 0x1 lookup 9\n',
      'default dev tun0 table 9\n',
      '0.0.0.0/0 to tun0',
    ],
  ])('%s', async (_what, rules, routes, said) => {
    expect(await overlap(rules, routes)).toBe(
      `a routing rule of another program sends ${said} before all other routes, and so the customer's network 10.77.1.0/24`,
    );
  });

  it('Tailscale keeps 100.64.0.0/10 for itself, though it routes only single addresses', async () => {
    const address = '5: tailscale0    inet 100.99.1.2/32 scope global tailscale0\n';
    expect(await overlap(TAILSCALE, TAILNET, ['100.80.0.0/16'], address)).toBe(
      "tailscale0 lets nothing else use 100.64.0.0/10, where the customer's network 100.80.0.0/16 is",
    );
    expect(await overlap(TAILSCALE, TAILNET, ['10.77.1.0/24'], address)).toBeUndefined();
  });
});

describe('rules that leave the tunnel its packets', () => {
  it.each<[string, string, string]>([
    ['none but the kernel’s', '', ''],
    ['Tailscale with its own machines alone', TAILSCALE, TAILNET],
    [
      'Tailscale with an exit node and access to this network',
      TAILSCALE,
      'default dev tailscale0 table 52\nthrow 10.77.1.0/24 table 52\n',
    ],
    ['wg-quick with everything: main comes first', WG_QUICK, 'default dev wg0 table 51820 scope link\n'],
    ['marked packets', '50:\tfrom all fwmark 0x7 lookup 5\n', 'default dev x0 table 5\n'],
    ['packets of one source', '50:\tfrom 192.0.2.7 lookup 5\n', 'default dev x0 table 5\n'],
    ['packets that come in somewhere', '50:\tfrom all iif docker0 lookup 5\n', 'default dev x0 table 5\n'],
    ['one user’s packets', '50:\tfrom all uidrange 1000-1000 lookup 5\n', 'default dev x0 table 5\n'],
    [
      'a table without its default route',
      '50:\tfrom all lookup 5 suppress_prefixlength 0\n',
      'default dev x0 table 5\n',
    ],
    ['a virtual router’s', '1000:\tfrom all lookup [l3mdev-table]\n', ''],
    ['a table that comes after main', `${MAIN}32800:\tfrom all lookup 5\n`, 'default dev x0 table 5\n'],
    ['our own tunnel in another table', '50:\tfrom all lookup 5\n', '10.77.1.0/24 dev kiwi-acme table 5\n'],
  ])('%s', async (_what, rules, routes) => {
    expect(await overlap(rules, routes)).toBeUndefined();
  });
});
