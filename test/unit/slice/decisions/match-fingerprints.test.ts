import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { digest } from '../../../../src/core/bytes.ts';
import {
  fingerprintDigestInput,
  IDENTITY_KINDS,
  type ComponentKind,
  type Fingerprint,
} from '../../../../src/protocol/fingerprint.ts';
import { fingerprintFlaw, matchFingerprints } from '../../../../src/slice/decisions/match-fingerprints.ts';

const components = (values: Partial<Record<ComponentKind, string | string[]>>): Fingerprint['components'] =>
  Object.entries(values).flatMap(([kind, value]) =>
    [value].flat().map((text) => ({ kind: kind as ComponentKind, hmac: digest(`${kind}${text}`) })),
  );

const laptop = {
  uuid: 'u1',
  'system-serial': 's1',
  'board-serial': 'b1',
  'chassis-serial': 'c1',
  disk: ['d1', 'd2'],
  mac: 'm1',
  cpu: 'p1',
} as const;

describe('two fingerprints', () => {
  test.each([
    ['all equal', {}, 'same'],
    ['a disk exchanged, one kept', { disk: ['d2', 'd9'] }, 'same'],
    ['all disks exchanged', { disk: 'd9' }, 'same'],
    ['the adapter exchanged', { mac: 'm9' }, 'same'],
    ['all disks and the adapter others: a question', { disk: 'd9', mac: 'm9' }, 'clone'],
    [
      'UUID and serial of the maker’s tool, on another machine',
      { ...sibling(), uuid: 'u1', 'system-serial': 's1' },
      'clone',
    ],
    ['another board, with its UUID and serials', { uuid: 'u9', 'system-serial': 's9', 'board-serial': 'b9' }, 'same'],
    ['a sibling of the same model', sibling(), 'different'],
    ['a sibling with the disk of the first', { ...sibling(), disk: ['d1', 'd2'] }, 'different'],
    ['a copy with the UUID alone', { ...sibling(), uuid: 'u1' }, 'clone'],
  ] as const)('%s', (_name, change, expected) => {
    expect(matchFingerprints(components(flat(laptop)), components(flat({ ...laptop, ...change })))).toBe(expected);
  });

  test('with one TPM are one machine, whatever else differs', () => {
    const [a, b] = [components({ 'tpm-ek': 't', uuid: 'u1' }), components({ 'tpm-ek': 't', uuid: 'u2' })];
    expect(matchFingerprints(a, b)).toBe('same');
  });

  test('with one UUID and serial are one machine when nothing else is known', () => {
    const few = { uuid: 'u', 'system-serial': 's' };
    expect(matchFingerprints(components(few), components({ ...few, disk: 'd1' }))).toBe('same');
    expect(matchFingerprints(components({ ...few, disk: 'd2' }), components({ ...few, disk: 'd1' }))).toBe('same');
  });

  test('with the same few identity components are one machine', () => {
    const few = components({ 'board-serial': 'b', 'chassis-serial': 'c' });
    expect(matchFingerprints(few, few)).toBe('same');
  });
});

test('whatever is the same or a clone has an identity component in common: laptops are looked up by those alone', () => {
  const few = fc.constantFrom('1', '2', '3');
  const some = fc.record(
    {
      ...Object.fromEntries(IDENTITY_KINDS.map((kind) => [kind, few])),
      disk: fc.array(few),
      mac: fc.array(few),
      cpu: few,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(some, some, (left, right) => {
      const [a, b] = [components(left), components(right)];
      fc.pre(identity(a).length > 0 && matchFingerprints(a, b) !== 'different');
      expect(identity(a).some((one) => identity(b).includes(one))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

const identity = (list: Fingerprint['components']): string[] =>
  fingerprintDigestInput(list).split('\n').filter(Boolean);

function sibling() {
  return {
    uuid: 'u2',
    'system-serial': 's2',
    'board-serial': 'b2',
    'chassis-serial': 'c2',
    disk: ['d3'],
    mac: 'm2',
  } as const;
}

const flat = (values: Partial<Record<ComponentKind, string | readonly string[]>>) =>
  Object.fromEntries(Object.entries(values).map(([kind, value]) => [kind, [value].flat()])) as Partial<
    Record<ComponentKind, string[]>
  >;

type Component = Fingerprint['components'][number];
const byHmac = (a: Component, b: Component): number => (a.hmac < b.hmac ? -1 : 1);
const many = (kind: ComponentKind, count: number): Component[] => [
  ...components({ uuid: 'u', 'system-serial': 's' }),
  ...components({ [kind]: Array.from({ length: count }, (_, at) => `${at}`) }).sort(byHmac),
];

describe('a fingerprint', () => {
  const of = (list: Fingerprint['components']): Fingerprint => ({
    algorithm: 'kiwi-fp/1',
    digest: digest(fingerprintDigestInput(list)),
    components: list,
  });
  test.each([
    ['of two identity components', components({ uuid: 'u', 'system-serial': 's' }), undefined],
    ['of one', components({ uuid: 'u', disk: 'd' }), '1 identity components'],
    ['with one UUID too many', components({ uuid: ['u', 'v'], 'system-serial': 's' }), 'several of uuid'],
    [
      'with a component twice',
      [...components({ uuid: 'u' }), ...components({ uuid: 'u' })],
      'a component is listed twice',
    ],
    ['with its kinds in another order', components({ 'system-serial': 's', uuid: 'u' }), 'not in order'],
    [
      'with its disks in another order',
      [
        ...components({ uuid: 'u', 'system-serial': 's' }),
        ...components({ disk: ['a', 'b', 'c'] })
          .sort(byHmac)
          .reverse(),
      ],
      'not in order',
    ],
    ['of eight disks', many('disk', 8), undefined],
    ['of nine disks', many('disk', 9), 'more than 8 of disk'],
    ['of nine processors', many('cpu', 9), 'more than 8 of cpu'],
  ] as const)('%s', (_name, list, flaw) => {
    expect(fingerprintFlaw(of([...list]))).toBe(flaw);
  });
  test('with another digest is refused', () => {
    expect(fingerprintFlaw({ ...of(many('disk', 2)), digest: digest('x') })).toBe('the digest does not match');
  });
});
