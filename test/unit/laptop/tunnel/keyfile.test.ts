import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { MARKER } from '../../../../src/laptop/system/found.ts';
import type { TunnelConfig } from '../../../../src/laptop/system/tunnel.ts';
import { keyfileWithEndpoint, keyfileWithMtu, mtuInKeyfile } from '../../../../src/laptop/tunnel/edit-keyfile.ts';
import { profileUuid } from '../../../../src/laptop/tunnel/profile-uuid.ts';
import { renderKeyfile } from '../../../../src/laptop/tunnel/render-keyfile.ts';

const secret = Buffer.alloc(32, 1).toString('base64');
const peer = Buffer.alloc(32, 2).toString('base64');
const psk = Buffer.alloc(32, 3).toString('base64');
const config: TunnelConfig = {
  slug: 'acme',
  privateKey: new SecretBytes(Buffer.alloc(32, 1)),
  address: '10.77.0.2',
  endpoints: ['vpn.example:51820'],
  serverPublicKey: peer,
  presharedKey: psk,
  allowedCidrs: ['10.77.0.0/24', '10.77.1.0/24'],
  dns: { servers: ['10.77.1.30', '10.77.1.31'], domains: ['corp.example', 'acme.test'] },
  keepaliveSeconds: 25,
};
const render = (more: Partial<TunnelConfig> = {}, splitDns = true): string =>
  renderKeyfile({ ...config, ...more }, { endpoint: '[2001:db8::1]:51820', splitDns });

describe('the profile for NetworkManager', () => {
  it('is complete, comes up without a login, and is never a default route', () => {
    expect(render()).toBe(`${MARKER}. Changes are lost; \`kiwistack-enroll uninstall\` removes it.
[connection]
id=kiwi-acme
uuid=${profileUuid('kiwi-acme')}
type=wireguard
interface-name=kiwi-acme
autoconnect=true
autoconnect-retries=0
permissions=

[wireguard]
mtu=1420
peer-routes=true
ip4-auto-default-route=0
ip6-auto-default-route=0
private-key=${secret}
private-key-flags=0

[wireguard-peer.${peer}]
endpoint=[2001:db8::1]:51820
preshared-key=${psk}
preshared-key-flags=0
persistent-keepalive=25
allowed-ips=10.77.0.0/24;10.77.1.0/24;

[ipv4]
method=manual
address1=10.77.0.2/32
dns=10.77.1.30;10.77.1.31;
dns-search=~corp.example;~acme.test;
dns-priority=50
never-default=true

[ipv6]
method=disabled
`);
  });

  it.each([
    ['a resolver cannot tell domains apart', {}, false],
    ['there is no domain', { dns: { servers: ['10.77.1.30'], domains: [] } }, true],
    ['there is no server', { dns: { servers: [], domains: ['corp.example'] } }, true],
  ])('names no name server where %s', (_where, more, splitDns) => {
    expect(render(more, splitDns)).not.toMatch(/^dns(?:-search)?=/mu);
  });

  it.each<[string, Partial<TunnelConfig>]>([
    ['a default route', { allowedCidrs: ['0.0.0.0/0'] }],
    ['a line break in a domain', { dns: { servers: ['10.77.1.30'], domains: ['a\nb'] } }],
    ['a key that ends its group', { serverPublicKey: 'x]\n[connection]' }],
    ['an address that is none', { address: '10.77.0.2;' }],
  ])('refuses %s', (_what, more) => {
    expect(() => render(more)).toThrow(TypeError);
  });
});

describe('the UUID', () => {
  it('is always the same for an interface, and another for another', () => {
    expect(profileUuid('kiwi-acme')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u);
    expect(profileUuid('kiwi-acme')).toBe(profileUuid('kiwi-acme'));
    expect(profileUuid('kiwi-beta')).not.toBe(profileUuid('kiwi-acme'));
  });
});

describe('a change of the profile', () => {
  // As NetworkManager 1.42 writes it after `nmcli connection modify`.
  const rewritten = `[connection]
id=kiwi-acme
uuid=${profileUuid('kiwi-acme')}
type=wireguard
autoconnect-retries=0
interface-name=kiwi-acme
timestamp=1795741901

[wireguard]
ip4-auto-default-route=0
private-key=${secret}

[wireguard-peer.${peer}]
endpoint=192.0.2.9:51820
allowed-ips=10.77.0.0/24;10.77.1.0/24;
`;

  it('gives the profile that would have been made', () => {
    const other = renderKeyfile(config, { endpoint: '192.0.2.1:51820', mtu: 1340, splitDns: true });
    expect(keyfileWithMtu(keyfileWithEndpoint(render(), '192.0.2.1:51820'), 1340)).toBe(other);
    expect(mtuInKeyfile(other)).toBe(1340);
  });

  it('also works on what NetworkManager has rewritten, without the line for the MTU', () => {
    expect(mtuInKeyfile(rewritten)).toBeUndefined();
    expect(mtuInKeyfile(keyfileWithMtu(rewritten, 1340))).toBe(1340);
    expect(keyfileWithEndpoint(rewritten, '192.0.2.1:51820')).toContain('\nendpoint=192.0.2.1:51820\n');
  });
});
