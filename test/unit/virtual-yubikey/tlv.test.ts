import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeTlv, findTlv, parseTlvs, TlvError, unwrapTlv } from '../../virtual-yubikey/wire/tlv.ts';

describe('TLV', () => {
  it.each([
    [0x53, 0, '5300'],
    [0x7f49, 1, '7f490100'],
    [0x53, 127, '537f'],
    [0x53, 128, '538180'],
    [0x53, 256, '53820100'],
    [0x53, 65536, '5383010000'],
  ])('writes tag %i with %i bytes in the shortest form', (tag, length, start) => {
    const encoded = encodeTlv(tag, Buffer.alloc(length)).toString('hex');
    expect(encoded.startsWith(start)).toBe(true);
  });

  it('reads what it wrote, several in a row', () => {
    const tags = fc.constantFrom(0x01, 0x53, 0x7c, 0x80, 0x7f49, 0x5f2f);
    const list = fc.array(fc.record({ tag: tags, value: fc.uint8Array({ maxLength: 400 }) }), { maxLength: 5 });
    fc.assert(
      fc.property(list, (tlvs) => {
        const bytes = Buffer.concat(tlvs.map(({ tag, value }) => encodeTlv(tag, value)));
        const read = parseTlvs(bytes);
        expect(read.map(({ tag, value }) => ({ tag, value: value.toString('hex') }))).toEqual(
          tlvs.map(({ tag, value }) => ({ tag, value: Buffer.from(value).toString('hex') })),
        );
        expect(Buffer.concat(read.map(({ raw }) => raw)).equals(bytes)).toBe(true);
      }),
    );
  });

  it('throws nothing but its own error for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          parseTlvs(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(TlvError);
        }
      }),
    );
  });

  it.each(['53', '5302ff', '5380', '538400000001', '7f', '7fffffff01'])('refuses %s', (hex) => {
    expect(() => parseTlvs(Buffer.from(hex, 'hex'))).toThrow(TlvError);
  });

  it('unwraps exactly one TLV of the wanted tag', () => {
    expect(unwrapTlv(Buffer.from('7c028000', 'hex'), 0x7c).toString('hex')).toBe('8000');
    expect(() => unwrapTlv(Buffer.from('7c007c00', 'hex'), 0x7c)).toThrow(TlvError);
    expect(() => unwrapTlv(Buffer.from('5300', 'hex'), 0x7c)).toThrow(TlvError);
    expect(findTlv(parseTlvs(Buffer.from('8000', 'hex')), 0x81)).toBeUndefined();
  });
});
