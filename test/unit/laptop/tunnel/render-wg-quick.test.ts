import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { TunnelConfig } from '../../../../src/laptop/system/tunnel.ts';
import { renderWgQuick, renderWgSetconf } from '../../../../src/laptop/tunnel/render-wg-quick.ts';

const config = (more: Partial<TunnelConfig> = {}): TunnelConfig => ({
  slug: 'acme',
  privateKey: new SecretBytes(Buffer.alloc(32, 1)),
  address: '10.77.0.2',
  endpoints: ['vpn.acme.example:51820'],
  serverPublicKey: Buffer.alloc(32, 2).toString('base64'),
  presharedKey: Buffer.alloc(32, 3).toString('base64'),
  allowedCidrs: ['10.77.0.0/24', '10.78.0.0/16'],
  dns: { servers: ['10.77.0.1'], domains: ['corp.example', 'acme.internal'] },
  keepaliveSeconds: 25,
  ...more,
});
const endpoint = '192.0.2.7:51820';

describe('the wg-quick file', () => {
  it('has its lists on one line, split DNS through resolvectl, and no DNS line', () => {
    expect(renderWgQuick(config(), { endpoint, resolvectl: '/usr/bin/resolvectl' })).toBe(
      `# Written by kiwistack-enroll. Changes are lost; \`kiwistack-enroll uninstall\` removes it.
[Interface]
PrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
Address = 10.77.0.2/32
MTU = 1420
PostUp = /usr/bin/resolvectl dns %i 10.77.0.1 || true
PostUp = /usr/bin/resolvectl domain %i "~corp.example" "~acme.internal" || true
PostUp = /usr/bin/resolvectl default-route %i false || true

[Peer]
PublicKey = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
PresharedKey = AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=
Endpoint = 192.0.2.7:51820
AllowedIPs = 10.77.0.0/24, 10.78.0.0/16
PersistentKeepalive = 25
`,
    );
  });

  it('leaves split DNS out where there is no systemd-resolved, or no domain', () => {
    expect(renderWgQuick(config(), { endpoint, resolvectl: undefined })).not.toMatch(/PostUp|DNS/);
    const dns = { servers: ['10.77.0.1'], domains: [] };
    expect(renderWgQuick(config({ dns }), { endpoint, resolvectl: '/usr/bin/resolvectl' })).not.toMatch(/PostUp|DNS/);
  });

  it('takes a literal IPv6 endpoint', () => {
    const text = renderWgQuick(config(), { endpoint: '[2001:db8::7]:51820', resolvectl: undefined });
    expect(text).toContain('Endpoint = [2001:db8::7]:51820\n');
  });

  it.each<[string, Partial<TunnelConfig>]>([
    ['a default route', { allowedCidrs: ['10.77.0.0/24', '0.0.0.0/0'] }],
    ['a route without a length', { allowedCidrs: ['10.77.0.0'] }],
    ['a second line in a route', { allowedCidrs: ['10.77.0.0/24\nPostUp = /bin/sh'] }],
    ['a command in a domain', { dns: { servers: ['10.77.0.1'], domains: ['x"; reboot; "'] } }],
    ['a command in a name server', { dns: { servers: ['10.77.0.1; reboot'], domains: ['corp.example'] } }],
    ['a second line in a key', { presharedKey: 'AAAA\nPostUp = x' }],
    ['an address that is none', { address: '10.77.0.2/0' }],
  ])('is refused with %s', (_what, more) => {
    expect(() => renderWgQuick(config(more), { endpoint, resolvectl: '/usr/bin/resolvectl' })).toThrow(TypeError);
  });

  it.each(['vpn.acme.example:51820', '192.0.2.7', '192.0.2.7:0', '192.0.2.7:65536', '192.0.2.999:1', '[::1]:1\nx'])(
    'is refused with the endpoint %j: a name would be resolved by wg, once and wrongly',
    (wrong) => {
      expect(() => renderWgQuick(config(), { endpoint: wrong, resolvectl: undefined })).toThrow(TypeError);
    },
  );

  it('has a part for wg setconf without what wg does not know', () => {
    const text = renderWgSetconf(config(), endpoint);
    expect(text).not.toMatch(/Address|MTU|PostUp/);
    expect(text.split('\n').slice(0, 2)).toEqual([
      '[Interface]',
      'PrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=',
    ]);
  });
});
