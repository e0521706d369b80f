import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { KiwiError } from '../../../src/core/errors.ts';
import { PeerChanges, type PeerChange } from '../../../src/slice/endpoint/peer-changes.ts';
import { addressNumber, addressText, networkOf } from '../../../src/slice/config/tunnel-network.ts';
import { renderPeers } from '../../../src/slice/endpoint/render-peers.ts';
import { renderUserspacePeers } from '../../../src/slice/endpoint/userspace-peers.ts';
import { answerError } from '../../../src/slice/gateway/answer-error.ts';
import { clientAddress } from '../../../src/slice/gateway/client-address.ts';
import { RateLimit } from '../../../src/slice/decisions/rate-limit.ts';
import { provisionerExtension, provisionerName } from '../../../src/slice/ca/provisioner-extension.ts';

describe('the rate limit', () => {
  test('lets a burst through, then as many as come back with time, for each client alone', () => {
    const limit = new RateLimit({ burst: 2, perSecond: 1 });
    const at = (now: number, client = 'a'): boolean => limit.take(client, now);
    expect([at(0), at(0), at(0), at(0, 'b'), at(999), at(1500), at(1999)]).toEqual([
      true,
      true,
      false,
      true,
      false,
      true,
      false,
    ]);
  });
});

test.each([
  ['203.0.113.5', '203.0.113.5'],
  ['::ffff:203.0.113.5', '203.0.113.5'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  [undefined, 'unknown'],
])('the client at %s counts as %s', (remote, expected) => {
  expect(clientAddress(remote)).toBe(expected);
});

describe('what a client is told of an error', () => {
  test('is code, message and hint, never the detail', () => {
    const { status, body } = answerError(new KiwiError('yubikey-burned', { detail: 'secret detail' }), 'r1');
    expect([status, body.code, body.requestId, JSON.stringify(body).includes('secret')]).toEqual([
      403,
      'yubikey-burned',
      'r1',
      false,
    ]);
  });
  test('is a fault of ours when the error was never meant for it, or is no error of ours', () => {
    expect(answerError(new KiwiError('slice-missing'), 'r').body.code).toBe('internal');
    expect(answerError(new TypeError('x'), 'r').body.code).toBe('internal');
    expect(answerError('x', 'r').status).toBe(500);
  });
});

test('peers that change while others are applied are applied together, the last change of each winning', async () => {
  const applied: (readonly PeerChange[])[] = [];
  const gates: (() => void)[] = [];
  const changes = new PeerChanges(async (batch) => {
    applied.push(batch);
    await new Promise<void>((resolve) => gates.push(resolve));
  });
  const peer = (publicKey: string) => ({ publicKey, peer: { publicKey, presharedKey: 'p', address: '10.0.0.2' } });
  const first = changes.add(peer('a'));
  await new Promise(setImmediate);
  const rest = [changes.add(peer('b')), changes.add(peer('c')), changes.add({ publicKey: 'b' })];
  gates[0]?.();
  await first;
  await new Promise(setImmediate);
  gates[1]?.();
  await Promise.all(rest);
  expect(applied.map((batch) => batch.map((change) => [change.publicKey, change.peer !== undefined]))).toEqual([
    [['a', true]],
    [
      ['c', true],
      ['b', false],
    ],
  ]);
});

test('a peer that changes alone waits for nothing; a burst rests, until enough are together', async () => {
  const applied: number[] = [];
  const changes = new PeerChanges((batch) => {
    applied.push(batch.length);
    return Promise.resolve();
  }, 60_000);
  const add = (count: number): Promise<void>[] =>
    Array.from({ length: count }, () => changes.add({ publicKey: randomUUID() }));
  await Promise.all(add(1));
  expect(applied).toEqual([1]);
  const rest = add(15);
  await new Promise(setImmediate);
  expect(applied).toEqual([1]);
  await Promise.all([...rest, ...add(1)]);
  expect(applied).toEqual([1, 16]);
});

test('a failing change fails its callers and nobody after them', async () => {
  let fail = true;
  const changes = new PeerChanges(() => (fail ? Promise.reject(new Error('down')) : Promise.resolve()));
  await expect(changes.add({ publicKey: 'a' })).rejects.toThrow('down');
  fail = false;
  await expect(changes.add({ publicKey: 'a' })).resolves.toBeUndefined();
});

test('peers are written as wg reads them', () => {
  expect(renderPeers([{ publicKey: 'K=', presharedKey: 'P=', address: '10.77.0.2' }])).toBe(
    '[Peer]\nPublicKey = K=\nPresharedKey = P=\nAllowedIPs = 10.77.0.2/32\n',
  );
});

test('peers are written as wireguard-go reads them', () => {
  const publicKey = Buffer.alloc(32, 0xab).toString('base64');
  const presharedKey = Buffer.alloc(32, 1).toString('base64');
  const text = renderUserspacePeers([
    { publicKey, peer: { publicKey, presharedKey, address: '10.77.0.2' } },
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

test('laptops get the addresses of the network but for its ends and the one of the slice', () => {
  const { first, last, reserved } = networkOf({ address: '10.77.0.1', network: '10.77.0.0/24' });
  expect([addressText(first), addressText(last), reserved.map(addressText)]).toEqual([
    '10.77.0.1',
    '10.77.0.254',
    ['10.77.0.1'],
  ]);
  expect(addressText(addressNumber('192.168.255.254'))).toBe('192.168.255.254');
});

test("smallstep's extension names the provisioner", () => {
  const extension = provisionerExtension('yubikey', 'k'.repeat(43));
  expect(extension.subarray(0, 7).toString('hex')).toBe('3039020101' + '0407');
  expect(provisionerName(extension)).toBe('yubikey');
  expect(provisionerName(Buffer.from('3000', 'hex'))).toBeUndefined();
});
