import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { logLine, printable } from '../../../src/core/log.ts';

describe('a line of the log', () => {
  it('has its event and its fields, and leaves out what is not known', () => {
    const fields = { what: 'status', http: 200, request: undefined, direct: true, at: '2026-11-27T00:00:00.000Z' };
    expect(logLine('exchange', fields)).toBe('exchange what=status http=200 direct=true at=2026-11-27T00:00:00.000Z');
  });

  it('quotes what is not a token', () => {
    expect(logLine('x', { a: '' })).toBe('x a=""');
    expect(logLine('x', { a: 'b c=d' })).toBe('x a="b c=d"');
    expect(logLine('x', { a: 'say "so"' })).toBe('x a="say \\"so\\""');
    expect(logLine('x', { a: 'Müller\u202e' })).toBe('x a="M\\u00fcller\\u202e"');
  });

  it('stays one line of printable ASCII of a limited length, whatever a value is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), fc.string({ unit: 'binary' }), (first, second) => {
        const line = logLine('x', { first, second });
        expect(line).toMatch(/^x first=[ -~]*$/);
        expect(line.length).toBeLessThanOrEqual(2000);
      }),
    );
    expect(logLine('x', { a: '<3>\n<3>forged b=1\u001b[2J' })).toBe('x a="<3>\\n<3>forged b=1\\u001b[2J"');
    expect(
      logLine('x', Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, '\u001b'.repeat(300)]))),
    ).toHaveLength(2000);
  });
});

describe('a text that is shown', () => {
  it('cannot move a cursor, begin a line or turn its direction', () => {
    expect(printable('a\u001b[2Jb\nc\u202ed\u0000e\u2028f')).toBe('a [2Jb c d e f');
    expect(printable('Müller 🙂')).toBe('Müller 🙂');
  });
});
