import { describe, expect, it } from 'vitest';

import {
  buildReport,
  type AuditRecord,
  type ReportFacts,
} from '../../../../../src/apps/operator/quarterly/build-report.ts';
import { parseQuarter } from '../../../../../src/apps/operator/quarterly/quarter.ts';
import { renderHtml } from '../../../../../src/apps/operator/quarterly/render-html.ts';
import { renderMarkdown } from '../../../../../src/apps/operator/quarterly/render-markdown.ts';

type Device = ReportFacts['devices'][number];
type Key = ReportFacts['yubikeys'][number];

const quarter = parseQuarter('2026-Q4');
const DAY = 86_400_000;
/** Days after the beginning of the quarter. */
const on = (day: number): number => quarter.from + day * DAY;

let count = 0;
function device(change: Partial<Device>): Device {
  const id = `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`;
  const base = { id, state: 'active', hostName: `laptop-${count}`, role: 'engineer', keyKind: 'unproven' };
  return { ...base, confirmedAt: on(1), endedAt: null, endReason: null, toldAt: null, ...change } as unknown as Device;
}
const key = (change: Partial<Key>): Key =>
  ({
    serial: ++count,
    role: 'engineer',
    registeredAt: on(1),
    burnedAt: null,
    burnedWhy: null,
    certified: true,
    ...change,
  }) as Key;
const record = (change: Partial<AuditRecord>): AuditRecord =>
  ({ id: ++count, at: on(2), action: 'device.renewals', decision: 'allowed', ...change }) as AuditRecord;

const NOTHING: ReportFacts = {
  ...{
    customer: { slug: 'acme', name: 'Acme GmbH' },
    devices: [],
    yubikeys: [],
    consents: [],
    audit: [],
    openAlarms: [],
  },
  ...{ trail: { records: 7, sealed: 7, accepted: 0 }, partial: false, now: on(200) },
};
const report = (facts: Partial<ReportFacts>) => buildReport({ ...NOTHING, ...facts }, quarter);
const points = (facts: Partial<ReportFacts>): Record<string, number> =>
  Object.fromEntries(report(facts).scores.map(({ area, points: of }) => [area, of]));

describe('a quarter', () => {
  it.each([
    ['2026-Q4', '2026-10-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['2024-q1', '2024-01-01T00:00:00.000Z', '2024-04-01T00:00:00.000Z'],
  ])('%s is in UTC', (text, from, to) => {
    const found = parseQuarter(text);
    expect([new Date(found.from).toISOString(), new Date(found.to).toISOString()]).toEqual([from, to]);
  });
  it.each(['2026-Q5', '2026', 'Q4-2026', '1999-Q1', '2026-Q4 '])('%j is none', (text) => {
    expect(() => parseQuarter(text)).toThrow('Not a quarter');
  });
  it('that has not begun has no report', () => {
    expect(() => parseQuarter('2099-Q1')).toThrow('not begun');
  });
});

describe('the quarterly report', () => {
  it('of nothing has nothing to blame', () => {
    expect(report({})).toMatchObject({ total: 100, complete: true, devices: { active: 0 }, refusals: [] });
    expect(report({ now: on(10) })).toMatchObject({ complete: false, until: new Date(on(10)).toISOString() });
  });

  it('counts laptops as they were at the end of the quarter', () => {
    const devices = [
      device({ keyKind: 'tpm' }),
      device({ confirmedAt: on(-100) }),
      device({ endedAt: on(95), endReason: 'lost' }),
      device({ confirmedAt: on(93) }),
      device({ endedAt: on(20), endReason: 'offboarded', toldAt: on(21) }),
      device({ endedAt: on(30), endReason: 'offboarded' }),
      device({ endedAt: on(30), endReason: 'lost' }),
      device({ endedAt: on(-1), endReason: 'lost' }),
      device({ confirmedAt: null, endedAt: on(5), endReason: 'unconfirmed' }),
    ];
    const made = report({ devices });
    expect(made.devices).toMatchObject({ active: 3, inTpm: 1, enrolled: 6, ended: { lost: 1, offboarded: 2 } });
    expect(made.devices.untold).toHaveLength(1);
    expect(points({ devices })['leavers']).toBe(50);
  });

  it('names laptops whose certificate has ended, and judges the share of them', () => {
    const [fresh, stale, never] = [device({}), device({}), device({})];
    const audit = [
      record({ deviceId: stale.id, at: on(60) }),
      record({ deviceId: stale.id, at: on(91.9), decision: 'refused', code: 'device-ended' }),
      // Of a rehearsal: nobody wanted it.
      record({ action: 'verb.rehearse', at: on(91), decision: 'refused', code: 'device-unknown' }),
      record({ deviceId: fresh.id, at: on(91.5) }),
      record({ deviceId: never.id, at: on(93) }),
    ];
    const devices = [fresh, stale, never, device({ confirmedAt: on(91.8) })];
    const { renewals, refusals } = report({ devices, audit });
    expect(renewals.done).toBe(2);
    expect(renewals.overdue.map(({ name, days }) => [name, days])).toEqual([
      [never.hostName, 91],
      [stale.hostName, 32],
    ]);
    expect(refusals).toEqual([{ code: 'device-ended', count: 1 }]);
    expect(points({ devices, audit })['renewals']).toBe(50);
  });

  it('counts keys, and those that need another certificate', () => {
    const yubikeys = [
      key({}),
      key({ certified: false, registeredAt: on(-5) }),
      key({ burnedAt: on(9), burnedWhy: 'lost in a train' }),
      key({ burnedAt: on(95), burnedWhy: 'later' }),
      key({ registeredAt: on(93) }),
    ];
    const made = report({ yubikeys });
    expect(made.keys).toMatchObject({ active: 3, registered: 3, uncertified: 1 });
    expect(made.keys.burned.map(({ why }) => why)).toEqual(['lost in a train']);
    expect(points({ yubikeys })['keys']).toBe(67);
  });

  it('names every laptop that was lost, also one that is enrolled again, and every change of the intermediate', () => {
    const [gone, back, wiped] = [device({}), device({}), device({})].map(({ id }) => id) as [string, string, string];
    const lost = (deviceId: string, why: string, day = 5): AuditRecord =>
      record({ deviceId, at: on(day), action: 'device.lost', why });
    const devices = [
      device({ id: gone, hostName: 'gone', endedAt: on(5), endReason: 'lost' }),
      device({ id: back, hostName: 'back', endedAt: on(7), endReason: 'superseded' }),
      device({ id: wiped, hostName: 'wiped', endedAt: on(7), endReason: 'superseded' }),
      ...[back, wiped].map((supersedes) => device({ supersedes, confirmedAt: on(7) })),
    ];
    const audit = [
      lost(gone, 'gone: stolen'),
      lost(back, 'back: left in a train'),
      lost(wiped, 'wiped, wipe: left in a bus'),
      lost(wiped, 'wiped: once more', 6),
      record({ deviceId: wiped, action: 'device.wipe', why: 'wiped: Fleet has accepted it' }),
      record({ deviceId: wiped, action: 'device.wipe', why: 'wiped: Fleet says that it is done: wipe', at: on(6) }),
      record({ action: 'intermediate.replace', decision: 'alarm', why: 'serial 2 in place of 1', at: on(8) }),
      record({ deviceId: 'x', action: 'device.lost', at: on(-3), why: 'before: x' }),
    ];
    const made = report({ devices, audit });
    expect(made.losses.map(({ name, why, now }) => [name, why, now])).toEqual([
      ['gone', 'stolen', 'lost'],
      ['back', 'left in a train', 'enrolled again'],
      ['wiped', 'left in a bus', 'erased, and enrolled again'],
    ]);
    expect(made.intermediate).toMatchObject([
      { what: 'replaced by one with a new key', why: 'serial 2 in place of 1' },
    ]);
    expect(renderMarkdown(made)).toContain('wiped');
  });

  it('takes twenty for each alarm that nobody has looked at for a week, and all for a changed audit', () => {
    const alarm = (day: number) => record({ at: on(day), decision: 'alarm', action: 'device.copied' });
    const openAlarms = [alarm(10), alarm(80), alarm(90)];
    expect(report({ openAlarms, audit: openAlarms }).alarms).toMatchObject({
      raised: { 'device.copied': 3 },
      open: [{ days: 82 }, { days: 12 }, { days: 2 }],
    });
    expect(points({ openAlarms })['alarms']).toBe(60);
    expect(points({ openAlarms: [1, 2, 3, 4, 5, 6].map(alarm) })['alarms']).toBe(0);
    const trail = { ...NOTHING.trail, fault: { record: 3, what: 'record 3 was changed' } };
    expect(report({ trail })).toMatchObject({ total: 80, audit: { whole: false, why: 'record 3 was changed' } });
  });
});

describe('what somebody wrote', () => {
  const nasty = '<script>alert(1)</script> | **bold** [x](javascript:y) `c` &amp; "q"\n# head \u202e';
  const facts: Partial<ReportFacts> = {
    customer: { slug: 'acme', name: '<b>Acme</b> & "Sons"' },
    yubikeys: [key({ burnedAt: on(9), burnedWhy: nasty, role: nasty })],
    consents: [
      {
        hostName: 'a',
        createdAt: on(2),
        operator: nasty,
        why: nasty,
        state: 'open',
      } as ReportFacts['consents'][number],
    ],
  };

  it('stays text in HTML', () => {
    const html = renderHtml(report(facts));
    const tags = new Set([...html.matchAll(/<(\/?[a-z][a-z0-9]*)/gu)].map(([, tag = '']) => tag.replace('/', '')));
    const ours = ['html', 'head', 'meta', 'title', 'style', 'body', 'main', 'h1', 'h2', 'p', 'section', 'footer'];
    expect(
      [...tags].filter((tag) => ![...ours, 'table', 'caption', 'thead', 'tbody', 'tr', 'th', 'td'].includes(tag)),
    ).toEqual([]);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).not.toContain('\u202e');
    expect(html).toContain('<title>&lt;b&gt;Acme&lt;/b&gt; &amp; &quot;Sons&quot;: quarterly report 2026-Q4</title>');
  });

  it('stays text in Markdown, in its cell', () => {
    const markdown = renderMarkdown(report(facts));
    expect(markdown).not.toMatch(/(?<!\\)</u);
    expect(markdown).not.toContain('](javascript');
    expect(markdown.split('\n').filter((line) => /^# /u.test(line))).toHaveLength(1);
    const rows = markdown.split('\n').filter((line) => line.startsWith('| '));
    const widths = rows.map((line) => line.replaceAll(String.raw`\|`, '').split('|').length);
    // Five columns of scores are three, of burned keys four, of consents five.
    expect([...new Set(widths)].sort()).toEqual([5, 6, 7]);
  });
});

describe('the page', () => {
  const html = renderHtml(report({ devices: [device({}), device({ endedAt: on(3), endReason: 'lost' })] }));

  it('needs nothing else, and may fetch and run nothing', () => {
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(html).not.toMatch(/\s(?:src|href|srcset|on\w+)=|@import|url\(/u);
  });

  it('can be read aloud: a language, a title, landmarks, headings in order, tables with captions and headers', () => {
    expect(html).toMatch(/<html lang="en">[^]*<title>[^<]+<\/title>[^]*<main>[^]*<\/main>\n<footer>/u);
    expect([...html.matchAll(/<h([1-6])/gu)].map(([, level]) => level)).toEqual([
      '1',
      ...Array.from({ length: 10 }, () => '2'),
    ]);
    const tables = html.match(/<table>/gu)?.length ?? 0;
    expect(tables).toBeGreaterThan(1);
    expect(
      html.match(/<table>\n<caption>[^<]+<\/caption>\n<thead><tr>(?:<th scope="col">[^<]+<\/th>)+<\/tr>/gu),
    ).toHaveLength(tables);
    for (const [, id = ''] of html.matchAll(/aria-labelledby="([^"]+)"/gu)) expect(html).toContain(`<h2 id="${id}">`);
    expect(html).not.toContain('<tr><td');
  });
});
