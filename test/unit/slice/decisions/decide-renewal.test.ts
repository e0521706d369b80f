import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  decideRenewal,
  FIRST_COUNTER,
  rekeyRule,
  type CertificateCounter,
  type RenewalRefusal,
} from '../../../../src/slice/decisions/decide-renewal.ts';

const DAY = 86_400_000;
const counter = (more: Partial<CertificateCounter> = {}): CertificateCounter => ({
  ...FIRST_COUNTER,
  notAfter: DAY,
  ...more,
});
const ask = (held: number, more: { at?: number; now?: number } = {}) => ({
  held,
  at: 1,
  now: 1,
  graceMs: DAY,
  ...more,
});

describe('a renewal', () => {
  test('of the last certificate, and of the one before whose renewal was lost, gets a new number', () => {
    expect(decideRenewal('active', counter(), ask(1))).toEqual({ number: 2 });
    expect(decideRenewal('active', counter({ issued: 8, acknowledged: 7 }), ask(8))).toEqual({ number: 9 });
    expect(decideRenewal('active', counter({ issued: 8, acknowledged: 7 }), ask(7))).toEqual({ number: 9 });
    expect(decideRenewal('active', counter({ issued: 9, acknowledged: 5 }), ask(5))).toEqual({ number: 10 });
  });

  test.each([6, 5, 1])('of certificate %s, when the last was 8 and 7 was in use, discovers a copy', (held) => {
    expect(decideRenewal('active', counter({ issued: 8, acknowledged: 7 }), ask(held))).toMatchObject({
      refused: 'device-copied',
      discovered: true,
    });
  });

  test('is refused to both laptops until the device is released; then the next number counts', () => {
    const copied = counter({ issued: 8, acknowledged: 7, copiedAt: 1 });
    for (const held of [8, 7, 3]) {
      const refusal = decideRenewal('active', copied, ask(held));
      expect(refusal).toMatchObject({ refused: 'device-copied' });
      expect(refusal).not.toHaveProperty('discovered');
    }
    expect(decideRenewal('active', counter({ issued: 8, acknowledged: null }), ask(3))).toEqual({ number: 9 });
  });

  test('of a number that the registry does not know goes on from there: the registry was restored', () => {
    expect(decideRenewal('active', counter({ issued: 8, acknowledged: 7 }), ask(12))).toEqual({ number: 13 });
  });

  test('after the grace is refused, and before it is not', () => {
    expect(decideRenewal('active', counter(), ask(1, { now: 2 * DAY }))).toEqual({ number: 2 });
    expect(decideRenewal('active', counter(), ask(1, { now: 2 * DAY + 1 }))).toMatchObject({
      refused: 'certificate-expired',
    });
  });

  test('that is not younger than the last one is refused, and discovers nothing', () => {
    const renewed = counter({ issued: 8, acknowledged: 7, requestedAt: 50 });
    for (const at of [49, 50]) {
      expect(decideRenewal('active', renewed, ask(2, { at }))).toMatchObject({ refused: 'clock-skew' });
    }
    expect(decideRenewal('active', renewed, ask(8, { at: 51 }))).toEqual({ number: 9 });
  });

  test('after the intermediate was replaced is made for as long as laptops may follow by themselves', () => {
    const replacedAt = 2 * DAY;
    const ask2 = (now: number, by: 'itself' | 'touch', notAfter: number) =>
      decideRenewal('active', counter({ notAfter }), {
        ...ask(1, { now }),
        ...{ graceMs: 30 * DAY, rekey: rekeyRule(replacedAt, { by, hours: 24 }) },
      });
    // Its last certificate was issued an hour before.
    const old = replacedAt + DAY - 3_600_000;
    expect(ask2(replacedAt, 'itself', old)).toEqual({ number: 2 });
    expect(ask2(replacedAt + DAY - 1, 'itself', old)).toEqual({ number: 2 });
    expect(ask2(replacedAt + DAY, 'itself', old)).toMatchObject({ refused: 'touch-required' });
    expect(ask2(replacedAt, 'touch', old)).toMatchObject({ refused: 'touch-required' });
    // Who has one of the new one is renewed as ever.
    const fresh = replacedAt + DAY + 1;
    for (const by of ['itself', 'touch'] as const) expect(ask2(replacedAt + 5 * DAY, by, fresh)).toEqual({ number: 2 });
    expect(rekeyRule(undefined, { by: 'touch', hours: 0 })).toBeUndefined();
  });

  test.each([
    ['ended', 'device-ended'],
    ['pending', 'device-unknown'],
    ['reserved', 'device-unknown'],
  ] as const)('of a device that is %s is refused (%s)', (state, refused) => {
    expect(decideRenewal(state, counter(), ask(1))).toMatchObject({ refused });
  });
});

/** The slice's side of any sequence of requests. */
function slice() {
  let known = counter({ notAfter: Number.MAX_SAFE_INTEGER });
  let at = 0;
  return (held: number): { number: number } | RenewalRefusal => {
    at += 1;
    const decision = decideRenewal('active', known, { held, at, now: at, graceMs: 0 });
    if ('number' in decision) known = { ...known, issued: decision.number, acknowledged: held, requestedAt: at };
    return decision;
  };
}

test('one laptop is never taken for a copy, whichever answers it loses', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 50 }), (arrives) => {
      const renew = slice();
      let held = 1;
      for (const arrived of arrives) {
        const answer = renew(held);
        if (!('number' in answer)) return false;
        if (arrived) held = answer.number;
      }
      return true;
    }),
  );
});

test('of two laptops with one key, one is found as soon as one that has renewed renews again after the other', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 50 }), (turns) => {
      const renew = slice();
      const held: [number, number] = [1, 1];
      for (const [index, turn] of turns.entries()) {
        const answer = renew(held[turn]);
        const before = turns.slice(0, index);
        // It renewed, the other one renewed after that, and now it renews again.
        const again =
          before.lastIndexOf(turn) >= 0 && before.lastIndexOf(turn === 0 ? 1 : 0) > before.lastIndexOf(turn);
        if ('refused' in answer) return answer.discovered === true;
        if (again) return false;
        held[turn] = answer.number;
      }
      return true;
    }),
  );
});
