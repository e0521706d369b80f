import { expect, it } from 'vitest';

import { renderCsv } from '../../../../src/apps/operator/render-csv.ts';
import { Id } from '../../../../src/apps/operator/table.ts';

it('has the fields of all rows, times in UTC, identifiers whole, and quotes what has to be quoted', () => {
  const at = new Date('2026-11-27T12:00:00Z');
  const id = new Id('3f0c1e5a-6a1f-4b0e-9d55-0c7f6f1d2b11');
  expect(
    renderCsv([
      { name: 'ada', at, id },
      { name: 'bob', why: 'left, "lost"\nfound', count: -3 },
    ]),
  ).toBe(
    'name,at,id,why,count\r\n' +
      'ada,2026-11-27T12:00:00.000Z,3f0c1e5a-6a1f-4b0e-9d55-0c7f6f1d2b11,,\r\n' +
      'bob,,,"left, ""lost""\nfound",-3\r\n',
  );
});

it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx'])('does not let a spreadsheet calculate %j', (text) => {
  expect(renderCsv([{ why: text }])).toBe(`why\r\n'${text}\r\n`);
});

it('is nothing but its line of names without rows', () => {
  expect(renderCsv([])).toBe('\r\n');
});
