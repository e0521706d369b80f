import { describe, expect, test } from 'vitest';

import { OPERATOR_VERBS, type Arguments, type Verb } from '../../../../src/protocol/operator-verbs.ts';
import { CRITICAL_VERBS, locksOut, needsTwo, type TwoPersonFacts } from '../../../../src/slice/decisions/needs-two.ts';

const facts = (more: Partial<TwoPersonFacts> = {}): TwoPersonFacts => ({
  setting: { when: 'two-admins', manyDevices: 10 },
  admins: ['anna', 'bob'],
  liveYubikeys: [1, 2],
  endedLately: 0,
  ...more,
});
const devices = (count: number): Arguments<'device.end'> => ({
  devices: Array.from({ length: count }, (_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`),
  why: 'offboarded',
});
const add = (role: 'read' | 'helpdesk' | 'admin') => ({ role, name: 'carl' }) as Arguments<'operator.add'>;

interface Case<V extends Verb = Verb> {
  readonly verb: V;
  readonly given: Arguments<V>;
  readonly more?: Partial<TwoPersonFacts>;
  readonly needed: boolean;
}
const is = <V extends Verb>(
  needed: boolean,
  verb: V,
  given: Arguments<V>,
  more: Partial<TwoPersonFacts> = {},
): Case => ({ verb, given, more, needed });

describe('what needs a second operator', () => {
  test.each([
    is(false, 'device.end', devices(10)),
    is(true, 'device.end', devices(11)),
    // In portions.
    is(false, 'device.end', devices(1), { endedLately: 9 }),
    is(true, 'device.end', devices(1), { endedLately: 10 }),
    is(false, 'device.lose', { device: 'anna', why: 'lost' }),
    is(false, 'device.lose', { device: 'anna', why: 'lost', action: 'lock' }),
    is(true, 'device.lose', { device: 'anna', why: 'lost', action: 'wipe' }),
    is(true, 'device.lose', { device: 'anna', why: 'lost' }, { endedLately: 10 }),
    is(false, 'yubikey.burn', { serial: 1, why: 'lost' }),
    is(true, 'yubikey.burn', { serial: 1, why: 'lost' }, { liveYubikeys: [1] }),
    is(false, 'yubikey.burn', { serial: 2, why: 'lost' }, { liveYubikeys: [1] }),
    is(true, 'operator.add', add('admin')),
    is(false, 'operator.add', add('helpdesk')),
    is(true, 'operator.remove', { name: 'anna', why: 'left' }),
    is(false, 'operator.remove', { name: 'hugo', why: 'left' }),
    is(true, 'slice.protect', { when: 'never', manyDevices: 0 }),
    is(true, 'intermediate.permit', { keyDigest: 'x' }),
    is(true, 'audit.accept', { why: 'restored' }),
    is(false, 'device.release', { device: 'anna', why: 'erased' }),
  ])('$verb %#: $needed', ({ verb, given, more, needed }) => {
    expect(needsTwo(verb, given, facts(more))).toBe(needed);
  });

  test('depends on the setting, and on whether there are two', () => {
    const asked = (when: 'two-admins' | 'always' | 'never', admins: string[]): boolean =>
      needsTwo('audit.accept', { why: 'x' }, facts({ setting: { when, manyDevices: 10 }, admins }));
    expect([asked('two-admins', []), asked('two-admins', ['anna']), asked('two-admins', ['anna', 'bob'])]).toEqual([
      ...[false, false, true],
    ]);
    expect([asked('always', []), asked('never', ['anna', 'bob'])]).toEqual([true, false]);
  });

  test('always leaves a way to the second admin', () => {
    const setting = { when: 'always', manyDevices: 10 } as const;
    expect(needsTwo('operator.add', add('admin'), facts({ setting, admins: ['anna'] }))).toBe(false);
    expect(needsTwo('operator.add', add('admin'), facts({ setting }))).toBe(true);
  });

  test('never ends with fewer than two admins where two are always needed', () => {
    const setting = { when: 'always', manyDevices: 10 } as const;
    const removes = (admins: string[], name = 'anna'): boolean =>
      locksOut('operator.remove', { name, why: 'left' }, facts({ setting, admins }));
    expect([removes(['anna', 'bob', 'carla']), removes(['anna', 'bob']), removes(['anna'])]).toEqual([
      false,
      true,
      true,
    ]);
    expect(removes(['anna', 'bob'], 'hugo')).toBe(false);
    const sets = (admins: string[]): boolean => locksOut('slice.protect', setting, facts({ admins }));
    expect([sets([]), sets(['anna']), sets(['anna', 'bob'])]).toEqual([true, true, false]);
    expect(locksOut('operator.remove', { name: 'anna', why: 'left' }, facts())).toBe(false);
  });

  test('is marked as critical in the table of verbs, and nothing else is', () => {
    const marked = Object.entries(OPERATOR_VERBS).filter(([, { critical }]) => critical);
    expect(marked.map(([verb]) => verb).sort()).toEqual([...CRITICAL_VERBS].sort());
  });
});
