import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Registry, Session } from '../../../../src/slice/registry/registry.ts';
import { createSqliteRegistry } from '../../../../src/slice/registry/sqlite/sqlite-registry.ts';

let dir: string;
let registry: Registry;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-sessions-'));
  registry = createSqliteRegistry(path.join(dir, 'r.sqlite'));
});
afterEach(async () => {
  registry.close();
  await rm(dir, { recursive: true });
});

const LIMITS = { total: 3, perRemote: 2 };
const session = (remote: string, createdAt = 0): Session => ({
  id: randomUUID(),
  attemptId: randomUUID(),
  helloHash: 'h',
  deviceKeyThumbprint: 't',
  challenge: 'c',
  challengeHash: 'c',
  code: '000000',
  privateKey: 'k',
  remote,
  createdAt,
  expiresAt: createdAt + 1000,
  usedAt: null,
});
const add = async (remote: string, createdAt?: number): Promise<string> => {
  const result = await registry.addSession(session(remote, createdAt), LIMITS, undefined);
  return 'refused' in result ? result.refused : 'kept';
};

describe('sessions that nobody has proven anything for', () => {
  test('are limited, of one address and in all, until they are over', async () => {
    expect([await add('a'), await add('a'), await add('a')]).toEqual(['kept', 'kept', 'too-many-requests']);
    expect([await add('b'), await add('b')]).toEqual(['kept', 'too-many-requests']);
    expect(await add('a', 1000)).toBe('kept');
  });

  test('of an attempt that has one are no other one', async () => {
    const first = session('a');
    for (let round = 0; round < 5; round++) {
      expect(await registry.addSession(first, LIMITS, undefined)).toMatchObject({ id: first.id });
    }
  });

  test('are forgotten minutes after they are over: first the key, then all of it', async () => {
    const kept = session('a');
    await registry.addSession(kept, LIMITS, undefined);
    await registry.forgetSessions(1000);
    expect(await registry.findSession(kept.id)).toMatchObject({ privateKey: null });
    await registry.forgetSessions(1000 + 5 * 60_000);
    expect(await registry.findSession(kept.id)).toBeUndefined();
  });
});
