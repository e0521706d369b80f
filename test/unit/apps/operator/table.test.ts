import { describe, expect, test } from 'vitest';

import { parseSince } from '../../../../src/apps/operator/since-option.ts';
import { Id, Note, renderTable } from '../../../../src/apps/operator/table.ts';

const ID = '8712b115-6a1f-4b0e-9d55-0c7f6f1d2b11';

describe('a table', () => {
  const row = {
    name: 'ada',
    at: new Date(2026, 10, 27, 8, 5, 59),
    why: 'a long reason '.repeat(12).trim(),
    id: new Id(ID),
  };

  test('fits, has the time of this machine and the beginning of an ID; programs get all of it', () => {
    const [head, line, ...rest] = renderTable([row], 60).split('\n');
    expect(head).toBe('NAME  AT                WHY                         ID');
    expect(line).toBe('ada   2026-11-27 08:05  a long reason a long reas…  8712b115');
    expect([line?.length, rest]).toEqual([60, ['']]);
    expect(JSON.parse(JSON.stringify(row))).toMatchObject({ at: row.at.toISOString(), id: ID, why: row.why });
  });

  test('is as wide as it needs to be, and never cuts a time, a number or an ID', () => {
    expect(renderTable([row], 400)).toContain(row.why);
    expect(renderTable([{ at: row.at, n: 1234567890123, id: new Id(ID) }], 5)).toContain(
      '2026-11-27 08:05  1234567890123  8712b115',
    );
  });

  test('tells a note whole, below its row, and breaks it where the table ends', () => {
    const note = new Note(`${'left in a train '.repeat(4).trim()} ${'x'.repeat(70)}`);
    expect(renderTable([{ name: 'ada', note }, { name: 'bo' }], 40).split('\n')).toEqual([
      'NAME',
      'ada',
      '    left in a train left in a train left',
      '    in a train left in a train',
      `    ${'x'.repeat(36)}`,
      `    ${'x'.repeat(34)}`,
      'bo',
      '',
    ]);
    expect(renderTable([{ name: 'ada', note: new Note('y'.repeat(500)) }], 100)).toContain('--json has all of it');
  });

  test('says that there is nothing, and lets no text move the cursor', () => {
    expect(renderTable([], 100)).toBe('None.\n');
    expect(renderTable([{ why: 'a\u001b[2Jb\nc' }], 100)).toBe('WHY\na [2Jb c\n');
  });
});

describe('--since', () => {
  const now = Date.UTC(2026, 10, 27, 12);
  test.each([
    ['90m', now - 90 * 60_000],
    ['12h', now - 12 * 3_600_000],
    ['7d', now - 7 * 86_400_000],
    ['2026-11-27T08:00Z', Date.UTC(2026, 10, 27, 8)],
    ['2026-11-26', new Date(2026, 10, 26).getTime()],
  ])('%s', (text, at) => {
    expect(parseSince(text, now).getTime()).toBe(at);
  });

  test.each(['', 'yesterday', '7', '7w', '2026-13-01', '2026-11-27T25:00', '-1d'])('not %j', (text) => {
    expect(() => parseSince(text, now)).toThrow('Not a time');
  });
});
