import { describe, expect, it } from 'vitest';

import type { Tunnel } from '../../../../src/laptop/system/tunnel.ts';
import { findOverlap } from '../../../../src/laptop/tunnel/find-overlap.ts';
import { readLocalNetworks } from '../../../../src/laptop/tunnel/read-local-networks.ts';

const ADDRESSES = `1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eth0@if7    inet 198.51.100.2/30 scope global eth0\\       valid_lft forever preferred_lft forever
9: kiwi-acme    inet 10.77.0.2/32 scope global kiwi-acme\\       valid_lft forever preferred_lft forever
`;
const ROUTES = `default via 198.51.100.1 dev eth0 proto dhcp metric 600 
10.77.0.0/24 dev kiwi-acme scope link 
10.77.1.0/24 dev kiwi-acme scope link 
198.51.100.0/30 dev eth0 proto kernel scope link src 198.51.100.2 
`;
const GRANTED = ['10.77.0.0/24', '10.77.1.0/24', '10.77.0.2/32'];

const overlap = async (addresses: string, routes = '', granted = GRANTED): Promise<string | undefined> => {
  const localNetworks = () => Promise.resolve(readLocalNetworks(ADDRESSES + addresses, ROUTES + routes, 'kiwi-acme'));
  return (await findOverlap({ localNetworks } as unknown as Tunnel, 'acme', granted))?.detail;
};
const address = (cidr: string): string => `3: wlan0    inet ${cidr} brd 10.255.255.255 scope global dynamic wlan0\n`;

describe('networks that overlap', () => {
  it.each<[string, string, string, string]>([
    ['an own address', address('10.77.1.200/24'), '', 'wlan0 has the address 10.77.1.200/24'],
    ['an own address in a wide network', address('10.77.1.9/8'), '', 'wlan0 has the address 10.77.1.9/8'],
    [
      'a point-to-point address',
      '4: ppp0    inet 10.77.1.9 peer 10.0.0.1/32 scope global ppp0\n',
      '',
      'ppp0 has the address 10.77.1.9',
    ],
    ['a narrower route', '', '10.77.1.0/25 via 198.51.100.1 dev eth0 \n', 'eth0 has a route to 10.77.1.0/25'],
    [
      'the same route with a metric',
      '',
      '10.77.1.0/24 dev wlan0 proto kernel scope link src 10.76.0.1 metric 600 \n',
      'wlan0 has a route to 10.77.1.0/24',
    ],
    ['a route to one host', '', '10.77.1.20 dev vpn0 scope link \n', 'vpn0 has a route to 10.77.1.20'],
    [
      'a route that leads nowhere',
      '',
      'unreachable 10.77.1.128/25 metric 1 \n',
      'unreachable has a route to 10.77.1.128/25',
    ],
    ['a router', '', 'default via 10.77.1.1 dev wlan0 metric 50 \n', 'wlan0 has the router 10.77.1.1'],
    [
      'a router among several',
      '',
      'default \n\tnexthop via 10.77.1.1 dev wlan0 weight 1 \n\tnexthop via 192.0.2.1 dev eth1 weight 1 \n',
      'wlan0 has the router 10.77.1.1',
    ],
  ])('%s', async (_what, addresses, routes, said) => {
    expect(await overlap(addresses, routes)).toBe(`${said}, which is in the customer's network 10.77.1.0/24`);
  });

  it.each<[string, string, string]>([
    ['the tunnel itself', '', ''],
    ['a wider route, of which the tunnel takes its part', '', '10.0.0.0/8 via 198.51.100.1 dev vpn0 \n'],
    ['a wide network with other addresses', address('10.5.0.3/8'), '10.0.0.0/8 dev wlan0 scope link src 10.5.0.3 \n'],
    ['the network next to it', address('10.77.2.1/24'), '10.77.2.0/24 dev wlan0 \n'],
  ])('not: %s', async (_what, addresses, routes) => {
    expect(await overlap(addresses, routes)).toBeUndefined();
  });

  it('in the upper half of the addresses, and of a single one', async () => {
    const wide = [['192.168.0.0/16'], ['192.168.7.9/32']];
    for (const granted of wide)
      expect(await overlap(address('192.168.7.9/24'), '', granted)).toContain('192.168.7.9/24');
    expect(await overlap(address('192.168.7.8/24'), '', ['192.168.7.9/32'])).toBeUndefined();
  });
});
