import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import { PeerChanges, type PeerChange } from '../../../../src/slice/endpoint/peer-changes.ts';

test('changes that arrive while others are applied are applied together; the last change of each peer wins', async () => {
  const applied: (readonly PeerChange[])[] = [];
  const gates: (() => void)[] = [];
  const changes = new PeerChanges(async (batch) => {
    applied.push(batch);
    await new Promise<void>((resolve) => gates.push(resolve));
  });
  const peer = (publicKey: string) => ({
    publicKey,
    peer: { publicKey, presharedKey: 'p', address: '10.0.0.2', restricted: false },
  });
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

test('a single change does not wait; a burst waits until there are enough', async () => {
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

test('a failing change fails its own callers and no later ones', async () => {
  let fail = true;
  const changes = new PeerChanges(() => (fail ? Promise.reject(new Error('down')) : Promise.resolve()));
  await expect(changes.add({ publicKey: 'a' })).rejects.toThrow('down');
  fail = false;
  await expect(changes.add({ publicKey: 'a' })).resolves.toBeUndefined();
});
