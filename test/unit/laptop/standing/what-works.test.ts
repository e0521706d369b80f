import { describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { tellWhatWorks } from '../../../../src/laptop/standing/tell-what-works.ts';
import { whatWorks, type SeenNow } from '../../../../src/laptop/standing/what-works.ts';
import { NOTHING_SEEN } from '../../../../src/laptop/state/seen.ts';
import type { DeviceStatus } from '../../../../src/protocol/device-messages.ts';
import { SLICE_PARTS, type SliceParts } from '../../../../src/protocol/slice-parts.ts';
import * as examples from '../../protocol/examples.ts';

const NOW = Date.parse('2026-03-02T00:00:00.000Z');
const HOUR = 3_600_000;
const FLEET = { reachable: true, known: true, online: true, orbitVersion: '1', osqueryVersion: '1', green: true };
const PARTS: SliceParts = { ca: true, endpoint: true, offlineDays: 7 };

const saying = (parts: Partial<SliceParts>, changes: Partial<DeviceStatus> = {}): DeviceStatus => ({
  ...examples.deviceStatus,
  ...{ state: 'active', endReason: null, fleet: FLEET },
  extensions: { [SLICE_PARTS]: { critical: false, value: { ...PARTS, ...parts } } },
  ...changes,
});
const unreachable = (code: string): KiwiError =>
  new KiwiError('gateway-unreachable', { detail: code, cause: Object.assign(new Error(code), { code }) });

const WELL: SeenNow = {
  now: NOW,
  certificate: { notAfter: NOW + 13 * HOUR },
  slice: saying({}),
  tunnel: { up: true, inside: true },
  last: { ...NOTHING_SEEN, parts: PARTS },
};
const DEAD = { up: true, inside: false };
const UNTIL = { certificate: '2026-03-02T13:00:00.000Z', renewal: '2026-03-09T13:00:00.000Z' };
const EVERYTHING = ['inside', 'certificate', 'management', 'renewal', 'news'];

/** What is seen → which parts fail, and of everything, what does not work and what nobody knows. */
type Case = readonly [what: string, change: Partial<SeenNow>, failing: string[], fails: string[], unknown?: string[]];
const CASES: readonly Case[] = [
  ['nothing', {}, [], []],
  ['the CA', { slice: saying({ ca: false }) }, ['ca'], ['renewal']],
  [
    'the CA of a slice that does not speak of it',
    {
      slice: saying({}, { extensions: undefined }),
      last: { ...NOTHING_SEEN, renewal: { at: new Date(NOW).toISOString(), code: 'ca-unavailable' } },
    },
    ['ca'],
    ['renewal'],
  ],
  ['the gateway', { slice: unreachable('ECONNREFUSED') }, ['gateway'], ['renewal', 'news'], ['management']],
  [
    'a gateway that is not the slice’s',
    { slice: new KiwiError('slice-not-proven') },
    ['gateway'],
    ['renewal', 'news'],
    ['management'],
  ],
  ['the name server', { slice: unreachable('ENOTFOUND') }, ['names'], ['renewal', 'news'], ['management']],
  [
    'the network',
    { slice: unreachable('EAI_AGAIN'), tunnel: DEAD },
    ['network'],
    ['inside', 'management', 'renewal', 'news'],
  ],
  [
    'the network, whose name server still has the name in mind',
    { slice: unreachable('ENETUNREACH'), tunnel: DEAD },
    ['network'],
    ['inside', 'management', 'renewal', 'news'],
  ],
  [
    'the endpoint, and the slice knows',
    { slice: saying({ endpoint: false }), tunnel: DEAD },
    ['endpoint'],
    ['inside', 'management'],
  ],
  ['the way to the endpoint', { tunnel: DEAD }, ['endpoint'], ['inside', 'management']],
  ['the tunnel here', { tunnel: { up: false, inside: false } }, ['tunnel'], ['inside', 'management']],
  ['names inside', { insideNames: false }, ['inside-names'], ['inside-names']],
  [
    'Fleet',
    { slice: saying({}, { fleet: { ...FLEET, reachable: false, known: false, online: false, green: false } }) },
    ['fleet'],
    ['management'],
  ],
  [
    'the agent here, which is not Fleet',
    { slice: saying({}, { fleet: { ...FLEET, online: false, green: false } }) },
    [],
    ['management'],
  ],
  [
    'the device, which was ended',
    { slice: saying({}, { state: 'ended', endReason: 'lost', fleet: null }) },
    ['device'],
    ['certificate', 'management', 'renewal'],
  ],
  [
    'a lost device, whose tunnel is closed',
    { slice: saying({}, { state: 'ended', endReason: 'lost', fleet: null }), tunnel: DEAD },
    ['device'],
    ['inside', 'certificate', 'management', 'renewal'],
  ],
  [
    'everything of the slice',
    { slice: unreachable('ETIMEDOUT'), tunnel: DEAD },
    ['gateway', 'endpoint'],
    ['inside', 'management', 'renewal', 'news'],
  ],
];

describe('what works while a part fails', () => {
  it.for(CASES)('%s', ([_what, change, failing, fails, unknown = []]) => {
    const seen = { ...WELL, ...change };
    const told = whatWorks(seen);
    expect(told.failing.map(({ part }) => part)).toEqual(failing);
    expect(told.fails.filter((one) => one !== 'inside-names' || failing.includes(one))).toEqual(fails);
    expect(told.unknown.filter((one) => one !== 'inside-names')).toEqual(unknown);
    const rest = EVERYTHING.filter((one) => !fails.includes(one) && !unknown.includes(one));
    expect(told.works).toEqual(rest);
    // A certificate that was revoked is good until nothing.
    if (fails.includes('renewal') && !failing.includes('device'))
      expect(told.until?.certificate).toBe(UNTIL.certificate);
    else expect(told.until).toBeUndefined();
    // Each failure is named to a person, and what is not concerned is said to work.
    const lines = tellWhatWorks(told, NOW).join('\n');
    for (const part of failing) expect(lines).toContain(`${part}: `);
    if (failing.length > 0) expect(lines).toContain('still works  the internet and this laptop itself');
  });

  it('says until when: the end of the certificate, and how long after it one is still to be had', () => {
    const down = { ...WELL, slice: saying({ ca: false }) };
    expect(whatWorks(down).until).toEqual(UNTIL);
    expect(tellWhatWorks(whatWorks(down), NOW).at(-1)).toBe(
      `until        the certificate is good until ${UNTIL.certificate}; it can be renewed until ${UNTIL.renewal}, and after that this laptop has to be enrolled again with a YubiKey`,
    );
  });

  it('knows it from an earlier answer while the slice is silent, and says less if there was none', () => {
    const silent = { ...WELL, slice: unreachable('ECONNREFUSED') };
    expect(whatWorks(silent).until).toEqual(UNTIL);
    const first = { ...silent, last: NOTHING_SEEN };
    expect(whatWorks(first).until).toEqual({ certificate: UNTIL.certificate });
    expect(tellWhatWorks(whatWorks(first), NOW).at(-1)).toContain(
      'for some days after its end it can still be renewed',
    );
  });

  it.each([
    [
      -HOUR,
      ['certificate'],
      'the certificate ended 2026-03-01T23:00:00.000Z; it can be renewed until 2026-03-08T23:00:00.000Z',
    ],
    [
      -8 * 24 * HOUR,
      ['certificate', 'renewal'],
      'it could be renewed until 2026-03-01T00:00:00.000Z, so this laptop has to be enrolled again',
    ],
  ])('of a certificate that ended %i ms ago', (ago, fails, text) => {
    const seen = {
      ...WELL,
      certificate: { notAfter: NOW + ago },
      slice: ago < -7 * 24 * HOUR ? saying({}) : saying({ ca: false }),
    };
    const told = whatWorks(seen);
    expect(told.fails).toEqual(ago < -7 * 24 * HOUR ? fails : [...fails, 'renewal']);
    expect(told.works).toContain('inside');
    expect(tellWhatWorks(told, NOW).join('\n')).toContain(text);
  });

  it('ignores what a slice of another version says in another form', () => {
    const odd = saying({}, { extensions: { [SLICE_PARTS]: { critical: false, value: { ca: 'no', more: 1 } } } });
    expect(whatWorks({ ...WELL, slice: odd, last: NOTHING_SEEN })).toMatchObject({ failing: [], fails: [] });
  });
});
