import { pino } from 'pino';
import { expect, test } from 'vitest';

import { systemClock } from '../../../../src/core/clock.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import type { SliceContext } from '../../../../src/slice/slice-context.ts';
import { reapUntil } from '../../../../src/slice/upkeep/reap.ts';
import { revokeWanted } from '../../../../src/slice/upkeep/settle-ended.ts';

/** Every method call is recorded and fails, except for the given ones. */
function failing(done: string[], given: Record<string, unknown> = {}): unknown {
  return new Proxy(given, {
    get: (target, name: string) =>
      target[name] ??
      (() => {
        done.push(name);
        return Promise.reject(new Error('fails'));
      }),
  });
}

test('every upkeep task runs, even when all before it failed', async () => {
  const done: string[] = [];
  const stop = new AbortController();
  let rounds = 0;
  const slice = {
    registry: failing(done),
    ca: failing(done),
    endpoint: failing(done),
    auditSeal: failing(done),
    settings: failing(done),
    log: pino({ level: 'silent' }),
    clock: {
      ...systemClock,
      sleep: (_ms: number, signal?: AbortSignal) => {
        if (++rounds > 15) stop.abort();
        signal?.throwIfAborted();
        return Promise.resolve();
      },
    },
  } as unknown as SliceContext;
  await reapUntil(slice, stop.signal);
  const each = [
    'unconfirmedDevices',
    'abandonedReservations',
    'listDuties',
    'forgetSessions',
    'forgetBundles',
    'revocationsWanted',
  ];
  expect(done.slice(0, 6)).toEqual(each);
  expect(done.slice(-11)).toEqual([...each, 'openLossParts', 'seal', 'look', 'livePeers', 'tidy']);
});

test.each([
  ['the others are revoked all the same', true, ['a', 'c']],
  ['nobody is waited for when step-ca is down', false, ['a']],
])('a revocation that fails: %s', async (_name, healthy, expected) => {
  const revoked: string[] = [];
  const slice = {
    clock: systemClock,
    registry: {
      revocationsWanted: () => Promise.resolve(['a', 'b', 'c'].map((serial) => ({ serial, revokeWhy: 'burned' }))),
      markRevoked: (serial: string) => {
        revoked.push(serial);
        return Promise.resolve();
      },
    },
    ca: {
      healthy: () => Promise.resolve(healthy),
      revoke: (serial: string) =>
        serial === 'b' ? Promise.reject(new KiwiError('ca-unavailable')) : Promise.resolve(),
    },
  } as unknown as SliceContext;
  await expect(revokeWanted(slice)).rejects.toThrow(KiwiError);
  expect(revoked).toEqual(expected);
});
