import { expect, test } from 'vitest';

import { renderPeers } from '../../../../src/slice/endpoint/render-peers.ts';
import { renderUserspacePeers } from '../../../../src/slice/endpoint/userspace-peers.ts';

test('peers are written as wg reads them', () => {
  expect(renderPeers([{ publicKey: 'K=', presharedKey: 'P=', address: '10.77.0.2', restricted: false }])).toBe(
    '[Peer]\nPublicKey = K=\nPresharedKey = P=\nAllowedIPs = 10.77.0.2/32\n',
  );
});

test('peers are written as wireguard-go reads them', () => {
  const publicKey = Buffer.alloc(32, 0xab).toString('base64');
  const presharedKey = Buffer.alloc(32, 1).toString('base64');
  const text = renderUserspacePeers([
    { publicKey, peer: { publicKey, presharedKey, address: '10.77.0.2', restricted: false } },
    { publicKey: presharedKey },
  ]);
  expect(text.split('\n')).toEqual([
    'set=1',
    `public_key=${'ab'.repeat(32)}`,
    `preshared_key=${'01'.repeat(32)}`,
    'replace_allowed_ips=true',
    'allowed_ip=10.77.0.2/32',
    `public_key=${'01'.repeat(32)}`,
    'remove=true',
    '',
    '',
  ]);
});
