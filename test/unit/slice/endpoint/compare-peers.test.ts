import { expect, test } from 'vitest';

import { comparePeers } from '../../../../src/slice/endpoint/compare-peers.ts';

test('a peer is set that is missing, or has another pre-shared key or address; one too many is removed', () => {
  const peer = (publicKey: string) => ({
    publicKey,
    presharedKey: `psk of ${publicKey}`,
    address: '10.77.0.2',
    restricted: false,
  });
  const wanted = ['good', 'missing', 'other psk', 'no psk', 'other address', 'two addresses'].map(peer);
  const there = {
    presharedKeys: `good\tpsk of good\nother psk\tx\nno psk\t(none)\nother address\tpsk of other address\ntwo addresses\tpsk of two addresses\ngone\tx\n`,
    allowedIps: `good\t10.77.0.2/32\nother psk\t10.77.0.2/32\nno psk\t10.77.0.2/32\nother address\t10.77.0.3/32\ntwo addresses\t10.77.0.2/32 0.0.0.0/0\ngone\t(none)\n`,
  };
  const changes = comparePeers(wanted, there);
  expect(changes.filter((change) => change.peer !== undefined)).toEqual(
    wanted.slice(1).map((entry) => ({ publicKey: entry.publicKey, peer: entry })),
  );
  expect(changes.filter((change) => change.peer === undefined)).toEqual([{ publicKey: 'gone' }]);
  expect(comparePeers([], { presharedKeys: '', allowedIps: '' })).toEqual([]);
});
