import { describe, expect, it } from 'vitest';

import { setSummaryTimes } from '../../../../installers/windows/summary-times.ts';

/** A property set of MS-OLEPS with a text, a time and a number, somewhere in a file. */
function withSummary(time: bigint): Buffer {
  const format = Buffer.from('e0859ff2f94f6810ab9108002b27b3d9', 'hex');
  const section = Buffer.alloc(8 + 3 * 8 + 12 + 12 + 8);
  const values = [
    [2, 32, 30],
    [12, 44, 64],
    [14, 56, 3],
  ] as const;
  section.writeUInt32LE(section.length, 0);
  section.writeUInt32LE(values.length, 4);
  for (const [index, [id, offset, type]] of values.entries()) {
    section.writeUInt32LE(id, 8 + index * 8);
    section.writeUInt32LE(offset, 12 + index * 8);
    section.writeUInt32LE(type, offset);
  }
  section.writeBigUInt64LE(time, 48);
  section.writeUInt32LE(7, 60);
  const head = Buffer.alloc(28, 0xff);
  const offset = Buffer.alloc(4);
  offset.writeUInt32LE(48);
  return Buffer.concat([Buffer.alloc(100, 1), head, format, offset, section, Buffer.alloc(50, 2)]);
}

describe('the times in the summary of a package', () => {
  it('become the given one, and nothing else changes', () => {
    const [one, other] = [withSummary(1n), withSummary(0x01dc_aaaa_bbbb_ccccn)];
    const set = setSummaryTimes(one, 0);
    expect(set.equals(setSummaryTimes(other, 0))).toBe(true);
    // 1970 in tenths of a microsecond since 1601.
    expect(set.equals(withSummary(116_444_736_000_000_000n))).toBe(true);
    expect(one.equals(withSummary(1n)), 'what was given stays').toBe(true);
  });

  it('are not looked for where there is no summary', () => {
    expect(() => setSummaryTimes(Buffer.alloc(1000), 0)).toThrow('no summary');
  });
});
