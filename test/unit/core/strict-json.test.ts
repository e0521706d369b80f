import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseStrictJson } from '../../../src/core/strict-json.ts';

const MAX = 64 * 1024;
const parse = (text: string) => () => parseStrictJson(text, MAX);

describe('strict JSON', () => {
  it('reads what JSON.parse reads, if no name is duplicated', () => {
    const names = fc.string({ unit: 'grapheme' }).filter((name) => name !== '__proto__');
    const values = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', maxDepth: 8 },
        fc.constantFrom(null, true, false),
        fc.integer(),
        names,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(names, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(values, fc.constantFrom(undefined, 2, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        expect(parseStrictJson(text, MAX)).toEqual(JSON.parse(text));
        expect(parseStrictJson(Buffer.from(text), MAX)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('throws nothing but SyntaxError, and never quotes what it read', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.uint8Array({ maxLength: 60 })), (data) => {
        try {
          parseStrictJson(data, MAX);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
          expect((error as SyntaxError).message).toMatch(
            /^(not JSON|not UTF-8|duplicate member name|a member named __proto__|deeper than 16 levels)$/,
          );
        }
      }),
    );
  });

  it.each([
    ['side by side', '{"a":1,"a":2}'],
    ['with the same value', '{"a":1,"a":1}'],
    ['apart', '{"a":1,"b":{"c":"}"},"a":2}'],
    ['in an inner object', '{"x":[{"a":1,"b":[],"a":2}]}'],
    ['one of them escaped', String.raw`{"slug":"acme","\u0073lug":"evil"}`],
    ['both escaped in different ways', String.raw`{"\u002f":1,"\/":2}`],
    ['around white space', '{ "a" : 1 ,\n"a"\t: 2 }'],
    ['empty', '{"":1,"":2}'],
    ['named like a property of every object', '{"toString":1,"toString":2}'],
  ])('refuses a name that stands twice: %s', (_how, text) => {
    expect(JSON.parse(text)).toBeDefined();
    expect(parse(text)).toThrow('duplicate member name');
  });

  it.each(['{"__proto__":1}', '[{"a":{"__proto__":{}}}]', String.raw`{"\u005f_proto__":1}`])(
    'refuses a member over which a schema may pass: %s',
    (text) => {
      expect(parse(text)).toThrow('a member named __proto__');
    },
  );

  it.each([
    ['the same name in different objects', '[{"a":1},{"a":2},{"b":{"a":3}}]'],
    ['a value that looks like a name', '{"a":"b","b":"a","c":["a","a"]}'],
    ['a string that looks like JSON', String.raw`{"a":"{\"b\":1,\"b\":2}","b":"\\"}`],
    ['names that only look alike', '{"a":1,"A":2,"a ":3}'],
  ])('takes %s', (_what, text) => {
    expect(parseStrictJson(text, MAX)).toEqual(JSON.parse(text));
  });

  it('takes 16 levels and refuses 17, in arrays and objects', () => {
    expect(parse('['.repeat(16) + ']'.repeat(16))).not.toThrow();
    expect(parse('['.repeat(17) + ']'.repeat(17))).toThrow('deeper than 16 levels');
    expect(parse('{"a":'.repeat(17) + '1' + '}'.repeat(17))).toThrow('deeper than 16 levels');
  });

  it('counts bytes, not characters, against the cap, and does so before it parses', () => {
    expect(parseStrictJson('"ä"', 4)).toBe('ä');
    expect(() => parseStrictJson('"ä"', 3)).toThrow('larger than 3 bytes');
    expect(() => parseStrictJson(Buffer.from('not JSON at all'), 3)).toThrow('larger than 3 bytes');
  });

  it.each([
    ['an overlong form', [0x22, 0xc0, 0xaf, 0x22]],
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a cut-off character', [0x22, 0xc3, 0x22]],
  ])('refuses bytes that are not UTF-8: %s', (_what, bytes) => {
    expect(() => parseStrictJson(Uint8Array.from(bytes), MAX)).toThrow('not UTF-8');
  });

  it.each([
    '',
    ' ',
    '\ufeff{}',
    '{} {}',
    "{'a':1}",
    '{"a":1,}',
    '[1,]',
    'NaN',
    '01',
    '{"a":undefined}',
    '/**/{}',
    '"\t"',
  ])('refuses what is not JSON: %j', (text) => {
    expect(parse(text)).toThrow('not JSON');
    expect(() => parseStrictJson(Buffer.from(text), MAX)).toThrow('not JSON');
  });
});
