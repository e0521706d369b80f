import { describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import type { CheckResult } from '../../../../src/laptop/upkeep/check-result.ts';
import { mattersOf, NOTICES } from '../../../../src/laptop/upkeep/matters.ts';
import type { DeviceStatus } from '../../../../src/protocol/device-messages.ts';
import * as examples from '../../protocol/examples.ts';

const NOW = Date.parse('2026-03-02T00:00:00.000Z');
const DAY = 86_400_000;
const record = { state: 'active' } as NonNullable<CheckResult['enrollment']>['record'];
const saying = (changes: Partial<DeviceStatus>): DeviceStatus => ({
  ...examples.deviceStatus,
  ...{ state: 'active', endReason: null, hardware: 'same' },
  ...changes,
});
const silent = new KiwiError('gateway-unreachable');

type Enrollment = Omit<NonNullable<CheckResult['enrollment']>, 'record'>;
const of = (enrollment: Enrollment, ends = NOW + DAY): string[] => [
  ...mattersOf(
    { farewells: [], enrollment: { record, ...enrollment } },
    { now: NOW, certificateEnds: ends, offlineDays: 7 },
  ).now,
];

describe('a person is told', () => {
  it.for<[string, Enrollment, string[], number?]>([
    ['that the device was ended', { slice: saying({ state: 'ended', endReason: 'lost' }) }, ['ended']],
    ['of other hardware', { slice: saying({ hardware: 'changed' }) }, ['hardware-changed']],
    ['of a copy elsewhere', { slice: saying({ hardware: 'seen-elsewhere' }) }, ['copied']],
    ['of a copy that renewed', { slice: saying({}), renewal: new KiwiError('device-copied') }, ['copied']],
    ['to enroll again', { slice: saying({}), renewal: new KiwiError('certificate-expired') }, ['enroll-again']],
    ['of a clock that is wrong', { slice: new KiwiError('clock-skew') }, ['clock']],
    ['of a clock by which no certificate is valid', { slice: new KiwiError('gateway-tls-dates') }, ['clock']],
    ['to update', { slice: saying({}), renewal: new KiwiError('protocol-unsupported') }, ['update']],
    [
      'of an end that only the renewal hears of',
      { slice: saying({}), renewal: new KiwiError('device-ended') },
      ['ended'],
    ],
    ['that the slice does not know it', { slice: new KiwiError('device-unknown') }, ['ended']],
    ['that its key is not accepted', { slice: new KiwiError('device-signature-refused') }, ['refused']],
    ['of a full disk', { slice: saying({}), renewal: new KiwiError('disk-full') }, ['disk']],
    ['of a disk that is read-only', { slice: silent, renewal: new KiwiError('read-only-file-system') }, ['disk']],
    [
      'to connect, after days of sign-in pages',
      { slice: new KiwiError('gateway-answer-invalid') },
      ['connect'],
      NOW - 4 * DAY,
    ],
    ['to connect, after days behind a proxy', { slice: new KiwiError('proxy-refused') }, ['connect'], NOW - 4 * DAY],
    [
      'to connect, after days without the password',
      { slice: new KiwiError('proxy-authentication') },
      ['connect'],
      NOW - 4 * DAY,
    ],
    ['that the key is gone', { slice: new KiwiError('not-enrolled') }, ['key-gone']],
    ['that the TPM was cleared', { slice: new KiwiError('tpm-key-gone') }, ['key-gone']],
    ['that the TPM is switched off', { slice: new KiwiError('tpm-missing') }, ['tpm']],
    ['that the TPM has a password', { slice: new KiwiError('tpm-owned') }, ['tpm']],
    ['to connect, when half of the grace is over', { slice: silent }, ['connect'], NOW - 4 * DAY],
    [
      'what could not be removed',
      { slice: saying({ state: 'ended', endReason: 'churn' }), removed: { leftBehind: ['agent'] } },
      ['half-removed'],
    ],
  ])('%s', ([_what, enrollment, matters, ends]) => {
    expect(of(enrollment, ends)).toEqual(matters);
  });

  it('of what is left of an enrollment', () => {
    expect([...mattersOf({ farewells: [], remains: ['a file'] }, { now: NOW }).now]).toEqual(['half-removed']);
  });
});

describe('nobody is told', () => {
  it.for<[string, Enrollment, number?]>([
    ['that all is well', { slice: saying({}) }],
    ['that the certificate was renewed', { slice: saying({}), renewal: { number: 2, notAfter: new Date(NOW + DAY) } }],
    ['of a train without a network', { slice: silent }],
    ['of a weekend without one', { slice: silent }, NOW - 2 * DAY],
    ['of a slice that is down', { slice: saying({ fleet: null }), renewal: new KiwiError('ca-unavailable') }],
    [
      'of a tunnel that does not come through',
      { slice: saying({}), tunnel: { error: new KiwiError('tunnel-no-handshake') } },
    ],
    [
      'of a proxy or a sign-in page',
      { slice: new KiwiError('slice-not-proven'), renewal: new KiwiError('gateway-answer-invalid') },
    ],
    ['of a weekend behind a proxy', { slice: new KiwiError('proxy-refused') }, NOW - 2 * DAY],
    [
      'that the customer has released the laptop',
      { slice: saying({ state: 'ended', endReason: 'offboarded' }), removed: { leftBehind: [] } },
    ],
  ])('%s', ([_what, enrollment, ends]) => {
    expect(of(enrollment, ends)).toEqual([]);
  });

  it('to connect, of whose grace nothing is known', () => {
    const result = { farewells: [], enrollment: { record, slice: silent } };
    expect([...mattersOf(result, { now: NOW, certificateEnds: NOW - 4 * DAY }).now]).toEqual([]);
  });
});

describe('what a person was told', () => {
  it('stays true while nobody can be asked', () => {
    const { unknown } = mattersOf({ farewells: [], enrollment: { record, slice: silent } }, { now: NOW });
    expect([...unknown].sort()).toEqual(
      ['clock', 'copied', 'disk', 'ended', 'enroll-again', 'hardware-changed', 'refused', 'rekey', 'update'].sort(),
    );
    // Nor by a slice that answers, while the renewal gets no further.
    const put = { slice: saying({}), renewal: new KiwiError('ca-unavailable') };
    const answered = mattersOf({ farewells: [], enrollment: { record, ...put } }, { now: NOW });
    expect([...answered.unknown]).toEqual(['disk']);
    const well = mattersOf({ farewells: [], enrollment: { record, slice: saying({}) } }, { now: NOW });
    expect([...well.unknown]).toEqual(['enroll-again', 'rekey']);
  });

  it('is ours alone, short, and without markup', () => {
    for (const { title, body } of Object.values(NOTICES)) {
      expect(title.length).toBeLessThan(60);
      expect(body.length).toBeLessThan(160);
      expect(title + body).toMatch(/^[^<>&\p{Cc}]+$/u);
    }
  });
});
